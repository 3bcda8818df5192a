"""Order books: every change that the exchange sends becomes a delta."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

from millrace_bus import Bus
from millrace_core.actions import ORDER_BOOK, StreamAction
from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, BookSnapshot, Level
from millrace_exchange import EventTimes, Exchange, ExchangeError
from millrace_gatherer.streams.book_comparison import BookComparison, Place
from millrace_gatherer.streams.readable import are_possible_levels
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter

CROSSED = "the exchange sent a crossed book"
IMPOSSIBLE_LEVEL = "the exchange sent a price or an amount that is no number, or an amount below 0"
FIRST_BOOK_S: Final = 20.0
"""How long the exchange may take to send a whole book."""
COMPARE_EVERY_S: Final = 60.0
"""How often a book that nothing proves is compared with the exchange's own answer."""
COMPARED_S: Final = 3.0
"""What an answer may lag behind the stream, or be ahead of it."""


class BookMirror:
    """The order book exactly as it was published: turns what the exchange sends into deltas. Pure.

    It never becomes crossed: a change or a whole book that would make it so is refused.
    """

    def __init__(self, checksum_every: int) -> None:
        self.book = OrderBook()
        self._checksum_every = checksum_every
        self._since_checksum = 0

    def change(self, bids: list[Level], asks: list[Level], nonce: int | None) -> BookDelta | None:
        """Return the delta that sets these levels; None, and no change, if the book would be crossed."""
        undo = self._undo(bids, asks) if self.book.may_cross(bids, asks) else None
        former = self.book.nonce
        self.book.apply(bids, asks, nonce)
        if undo is not None and self.book.is_crossed:
            self.book.apply(*undo, former)
            return None
        return self._delta(bids, asks, nonce)

    def become(self, bids: Sequence[Level], asks: Sequence[Level], nonce: int | None) -> BookDelta | None:
        """Return the delta that makes the published book one of these levels; None if those are crossed."""
        wanted = OrderBook()
        wanted.replace(bids, asks, nonce)
        if wanted.is_crossed:
            return None
        bid_changes, ask_changes = self.book.difference(bids, asks)
        self.book = wanted
        return self._delta(bid_changes, ask_changes, nonce)

    def snapshot(self, as_of: str) -> BookSnapshot:
        """Return the whole book."""
        book = self.book
        return BookSnapshot(
            bids=book.bids.levels(),
            asks=book.asks.levels(),
            as_of=as_of,
            checksum=book.checksum(),
            nonce=book.nonce,
        )

    def _delta(self, bids: list[Level], asks: list[Level], nonce: int | None) -> BookDelta:
        self._since_checksum += 1
        if self._since_checksum < self._checksum_every:
            return BookDelta(bids=bids, asks=asks, nonce=nonce)
        self._since_checksum = 0
        return BookDelta(bids=bids, asks=asks, nonce=nonce, checksum=self.book.checksum())

    def _undo(self, bids: list[Level], asks: list[Level]) -> tuple[list[Level], list[Level]]:
        book = self.book
        return (
            [(price, book.bids.amount_at(price)) for price, _ in bids],
            [(price, book.asks.amount_at(price)) for price, _ in asks],
        )


class OrderBookStream(Stream):
    """An order book. After an outage the difference between the last published book and the new one is a delta."""

    action: ClassVar[StreamAction] = ORDER_BOOK

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._mirror = BookMirror(unit.checksum_every)
        self._is_applying = False
        """Whether changes apply to what was published: False from a failure until the next whole book."""
        self._unproved = exchange.profile.book.unproved(unit.depth)
        """Why nothing proves the book complete; None if something does."""
        self._comparison: BookComparison | None = None
        super().__init__(unit, exchange, bus, health)

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long a healthy book may be silent."""
        return self.exchange.profile.silence.order_book_ms

    async def follow(self) -> None:
        """Follow the exchange's book of the symbol."""
        self._is_applying = False
        deadline = asyncio.get_running_loop().call_later(FIRST_BOOK_S, self._miss_first)
        try:
            await self.exchange.market.order_book(self.symbol, self, self.unit.depth)
        finally:
            deadline.cancel()

    async def work(self) -> None:
        """Compare a book that nothing proves with the exchange's own answer, again and again."""
        suspects: set[Place] = set()
        while self._unproved is not None:
            # What differed once is looked at again at once: an answer may come from a cache.
            await asyncio.sleep(0 if suspects else COMPARE_EVERY_S)
            differences = await self._compare()
            if suspects & differences:
                self.health.count("wrong books")
                self._give_up(f"{len(suspects & differences)} levels are others at the exchange")
                differences = set()
            suspects = differences

    def take_snapshot(self, as_of: str) -> BookSnapshot:
        """Return the whole book."""
        return self._mirror.snapshot(as_of)

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Publish what differs from the book last published, then that it is live, or unverified."""
        self.on_message()
        self.health.count("resyncs")
        self._comparison = None
        if not self._accepts(bids, asks):
            return
        delta = self._mirror.become(bids, asks, nonce)
        if delta is None:
            self._refuse()
            return
        self._is_applying = True
        self.publish(delta, event)
        self.live(self._unproved)

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Publish what one message changed; what comes before the whole book is not even heard."""
        if not self._is_applying:
            return
        self.on_message()
        if not self._accepts(bids, asks):
            return
        if self._comparison is not None:
            self._comparison.changing(bids, asks)
        delta = self._mirror.change(bids, asks, nonce)
        if delta is None:
            self._refuse()
        else:
            self.publish(delta, event)

    def book_broken(self, reason: str) -> None:
        """Publish no more of it until the exchange has sent the whole book again."""
        self.health.count("gaps")
        self._give_up(reason)

    async def _compare(self) -> set[Place]:
        """Return the levels that the exchange's own answer has otherwise; none if the book was taken anew meanwhile."""
        if not self._is_applying:
            return set()
        comparison = self._comparison = BookComparison(self._mirror.book)
        try:
            await asyncio.sleep(COMPARED_S)
            bids, asks = await self.exchange.market.fetch_order_book(self.symbol)
            await asyncio.sleep(COMPARED_S)
        except ExchangeError as error:
            self.health.error(error)
            await asyncio.sleep(error.retry_after_s)
            return set()
        if self._comparison is not comparison or not self._is_applying:
            return set()
        self._comparison = None
        self.health.count("comparisons")
        return comparison.differences(bids, asks)

    def _miss_first(self) -> None:
        if not self._is_applying:
            self._give_up(f"the exchange has sent no whole book for {FIRST_BOOK_S:g} s")

    def _accepts(self, bids: list[Level], asks: list[Level]) -> bool:
        """Tell whether a book can have such levels; give it up if not: what they stand for is not known."""
        if are_possible_levels(bids) and are_possible_levels(asks):
            return True
        self.health.count("unreadable")
        self._give_up(IMPOSSIBLE_LEVEL)
        return False

    def _refuse(self) -> None:
        self.health.count("crossed")
        self._give_up(CROSSED)

    def _give_up(self, reason: str) -> None:
        self._is_applying = False
        self.stale(reason)
        self.fail(reason)
