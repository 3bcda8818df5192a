"""The local order book: absolute levels kept sorted, with the protocol's checksum.

It is a dict of amounts and a sorted list of prices, which measured faster here than any sorted container.
"""

import struct
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from math import inf

from millrace_core.market import Level

CHECKSUM_DEPTH = 25


class BookSide:
    """The levels of one side, best first."""

    __slots__ = ("_amounts", "_is_descending", "_prices")

    def __init__(self, *, descending: bool) -> None:
        self._is_descending = descending
        # Ascending on both sides: the best bid is the last, the best ask the first.
        self._prices: list[float] = []
        self._amounts: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._prices)

    def __iter__(self) -> Iterator[Level]:
        """Iterate over the levels, best first; while that lasts, the side must not change."""
        amounts = self._amounts
        return ((price, amounts[price]) for price in self._best_first())

    def apply(self, levels: Iterable[Level]) -> None:
        """Set each level to its amount; 0 removes it. Removing an unknown level does nothing."""
        amounts, prices = self._amounts, self._prices
        known = len(amounts)
        for price, amount in levels:
            if amount:
                amounts[price] = amount
                if len(amounts) != known:  # One look-up less than asking whether the price is there.
                    insort(prices, price)
                    known += 1
            elif amounts.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]
                known -= 1

    def replace(self, levels: Iterable[Level]) -> None:
        """Replace all levels by these."""
        self._amounts = {price: amount for price, amount in levels if amount}
        self._prices = sorted(self._amounts)

    def best(self) -> Level | None:
        """Return the best level; None if the side is empty."""
        prices = self._prices
        if not prices:
            return None
        price = prices[-1] if self._is_descending else prices[0]
        return price, self._amounts[price]

    def amount_at(self, price: float) -> float:
        """Return the amount at a price; 0 if there is no such level."""
        return self._amounts.get(price, 0.0)

    def levels(self, depth: int | None = None) -> list[Level]:
        """Return the best `depth` levels, or all, best first."""
        amounts = self._amounts
        return [(price, amounts[price]) for price in islice(self._best_first(), depth)]

    def _best_first(self) -> Iterator[float]:
        return reversed(self._prices) if self._is_descending else iter(self._prices)


class OrderBook:
    """Both sides of a symbol's order book."""

    __slots__ = ("asks", "bids", "nonce")

    def __init__(self) -> None:
        self.bids = BookSide(descending=True)
        self.asks = BookSide(descending=False)
        self.nonce: int | None = None
        """The exchange's own number of this state; None if it numbers none."""

    def apply(self, bids: Iterable[Level], asks: Iterable[Level], nonce: int | None) -> None:
        """Set the levels that changed; amount 0 removes one."""
        self.bids.apply(bids)
        self.asks.apply(asks)
        self.nonce = nonce

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], nonce: int | None) -> None:
        """Replace all levels by these."""
        self.bids.replace(bids)
        self.asks.replace(asks)
        self.nonce = nonce

    @property
    def is_crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask, which no real book is."""
        bids, asks = self.bids._prices, self.asks._prices
        return bool(bids and asks) and bids[-1] >= asks[0]

    def may_cross(self, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Tell whether the book can be crossed by setting these levels; False says that it cannot.

        Levels that are removed count as if they stayed: most messages touch neither best price, and are let through.
        """
        bid_prices, ask_prices = self.bids._prices, self.asks._prices
        highest = bid_prices[-1] if bid_prices else -inf
        lowest = ask_prices[0] if ask_prices else inf
        for price, amount in bids:
            if amount and price > highest:
                highest = price
        for price, amount in asks:
            if amount and price < lowest:
                lowest = price
        return highest >= lowest

    @property
    def mid(self) -> float | None:
        """Return the price half-way between the best bid and ask; None if a side is empty."""
        bids, asks = self.bids._prices, self.asks._prices
        return (bids[-1] + asks[0]) / 2 if bids and asks else None

    def checksum(self) -> int:
        """Return CRC-32 over price, amount, … of the best 25 bids, then asks, as big-endian IEEE-754 doubles."""
        numbers = [*chain.from_iterable(self.bids.levels(CHECKSUM_DEPTH) + self.asks.levels(CHECKSUM_DEPTH))]
        return zlib.crc32(struct.pack(f">{len(numbers)}d", *numbers))

    def difference(self, bids: Iterable[Level], asks: Iterable[Level]) -> tuple[list[Level], list[Level]]:
        """Return the deltas that would turn this book into one of these levels."""
        return _difference(self.bids, bids), _difference(self.asks, asks)


def _difference(side: BookSide, wanted: Iterable[Level]) -> list[Level]:
    new = {price: amount for price, amount in wanted if amount}
    gone = [(price, 0.0) for price, _ in side.levels() if price not in new]
    return gone + [(price, amount) for price, amount in new.items() if side.amount_at(price) != amount]
