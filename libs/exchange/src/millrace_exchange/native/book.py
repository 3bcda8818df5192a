"""An order book as a snapshot, and the numbered changes that follow it."""

import asyncio
from math import inf
from typing import NamedTuple, Protocol

from millrace_core.book import OrderBook
from millrace_core.clock import now_ns
from millrace_core.market import Level
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth
from millrace_exchange.listeners import BookListener, EventTimes
from millrace_exchange.native.coverage import CoveredSide, WholeSide, covered_side


class Snapshot(NamedTuple):
    """A whole order book, or its best levels."""

    number: int
    """The last update that it includes."""
    bids: list[Level]
    asks: list[Level]


class Update(Protocol):
    """Changes of an order book."""

    @property
    def time(self) -> int | None:
        """Return the exchange's time, ms; None if it sends none."""

    @property
    def first(self) -> int:
        """Return the number of the first update that it covers."""

    @property
    def last(self) -> int:
        """Return the number of the last one."""

    @property
    def bids(self) -> list[Level]:
        """Return the changed bids."""

    @property
    def asks(self) -> list[Level]:
        """Return the changed asks."""


class NumberedBook:
    """Joins snapshot and changes for a listener: nothing is passed on across a gap, nor beyond what a snapshot covers.

    While `wants_snapshot` is set, the next snapshot goes to `begin`. `depth` says how far snapshots reach; None if they
    are whole.
    """

    def __init__(self, listener: BookListener, depth: SnapshotDepth | None) -> None:
        self.wants_snapshot = asyncio.Event()
        self.wants_snapshot.set()
        self.is_followed = asyncio.Event()
        """Set once updates have come that the next snapshot can be compared with."""
        self._listener = listener
        self._depth = depth
        self._last: int | None = None
        """The last update that was passed on; None while nothing is."""
        self._time: int | None = None
        """The exchange's time of it, ms."""
        self._waiting: list[Update] = []
        """The updates that came while a snapshot was awaited, none missing between them."""
        self._bids: CoveredSide | WholeSide = WholeSide()
        self._asks: CoveredSide | WholeSide = WholeSide()
        self._is_whole = True
        """Whether the snapshot had all levels of both sides."""

    def take(self, update: Update, received_ns: int) -> None:
        """Pass an update on, and keep it if a snapshot is awaited."""
        last = self._last
        if last is None:
            self._wait(update)
        elif update.first > last + 1:
            self._lose(update, f"expected update {last + 1} of the exchange, received {update.first}")
        elif update.last > last:
            self._last, self._time = update.last, update.time
            if self.wants_snapshot.is_set():
                self._wait(update)
            self._pass_on(update, received_ns)
        elif (update.time or 0) > (self._time or inf):
            # What came late is older.
            self._lose(update, f"the exchange numbers its book anew: after update {last} came {update.last}")

    def begin(self, snapshot: Snapshot) -> bool:
        """Pass a snapshot on with all that came after it; return False if it is too old for that.

        So is one whose last known level has gone since.
        """
        newer = [update for update in self._waiting if update.last > snapshot.number]
        reached = newer[-1].last if newer else snapshot.number
        if (newer and newer[0].first > snapshot.number + 1) or reached < (self._last or 0):
            return False
        bids = covered_side(snapshot.bids, self._depth, descending=True)
        asks = covered_side(snapshot.asks, self._depth, descending=False)
        book = OrderBook()
        book.replace(snapshot.bids, snapshot.asks, snapshot.number)
        for update in newer:
            book.apply(bids.within(update.bids), asks.within(update.asks), update.last)
        if bids.is_exhausted or asks.is_exhausted:
            return False
        self._bids, self._asks = bids, asks
        self._is_whole = isinstance(bids, WholeSide) and isinstance(asks, WholeSide)
        self._last, self._waiting = reached, []
        self._time = newer[-1].time if newer else None
        self.wants_snapshot.clear()
        self.is_followed.clear()
        event = EventTimes(self._time, now_ns())
        self._listener.book_reset(book.bids.levels(), book.asks.levels(), reached, event)
        return True

    def _pass_on(self, update: Update, received_ns: int) -> None:
        if self._is_whole:
            event = EventTimes(update.time, received_ns)
            self._listener.book_changed(update.bids, update.asks, update.last, event)
        else:
            self._pass_on_covered(update, received_ns)

    def _pass_on_covered(self, update: Update, received_ns: int) -> None:
        bids, asks = self._bids.within(update.bids), self._asks.within(update.asks)
        if self._bids.is_exhausted or self._asks.is_exhausted:
            self._lose(update, "the price left the levels that the exchange's snapshot covered")
            return
        if self._bids.is_low or self._asks.is_low:
            self.wants_snapshot.set()
        self._listener.book_changed(bids, asks, update.last, EventTimes(update.time, received_ns))

    def _wait(self, update: Update) -> None:
        if self._waiting and update.first > self._waiting[-1].last + 1:
            # No snapshot from before the gap can be continued.
            self._waiting.clear()
        self._waiting.append(update)
        self.is_followed.set()

    def _lose(self, update: Update, reason: str) -> None:
        self._last, self._waiting = None, []
        self._wait(update)
        self.wants_snapshot.set()
        self._listener.book_broken(reason)
