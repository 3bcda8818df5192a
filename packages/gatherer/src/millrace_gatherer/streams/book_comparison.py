"""Compares a book with the exchange's own answer, where nothing in the stream proves it complete. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from millrace_core.book import OrderBook
from millrace_core.market import Level

Side = Literal["bids", "asks"]


class Place(NamedTuple):
    """A level of a book."""

    side: Side
    price: float


class BookComparison:
    """Remembers what each level of a book was since it began, for an answer that is of some moment in between.

    A level whose amount in the answer it never had meanwhile differs.
    """

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._former: dict[Place, set[float]] = {}

    def changing(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Remember what is about to change."""
        book = self._book
        for price, _ in bids:
            self._former.setdefault(Place("bids", price), set()).add(book.bids.amount_at(price))
        for price, _ in asks:
            self._former.setdefault(Place("asks", price), set()).add(book.asks.amount_at(price))

    def differences(self, bids: Sequence[Level], asks: Sequence[Level]) -> set[Place]:
        """Return the levels that an answer has otherwise; only the better half, since either may end somewhere."""
        return self._side("bids", self._book.bids.levels(), bids) | self._side("asks", self._book.asks.levels(), asks)

    def _side(self, side: Side, ours: Sequence[Level], theirs: Sequence[Level]) -> set[Place]:
        compared = min(len(ours), len(theirs)) // 2
        if not compared:
            return set()
        sign = -1 if side == "bids" else 1
        edge = min(sign * ours[compared - 1][0], sign * theirs[compared - 1][0])
        shown, answered = dict(ours), dict(theirs)
        return {
            place
            for price in shown.keys() | answered.keys()
            if sign * price <= edge
            and answered.get(price, 0.0) not in self._former.get(place := Place(side, price), set())
            and answered.get(price, 0.0) != shown.get(price, 0.0)
        }
