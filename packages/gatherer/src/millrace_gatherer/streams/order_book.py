"""Order books: every change that ccxt applies becomes a delta."""

from millrace_bus import Bus
from millrace_core.market import BookSnapshot, Level
from millrace_core.names import Symbol
from millrace_exchange import Event, Feed
from millrace_gatherer.streams.mirror import BookMirror
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter

CROSSED = "the exchange sent a crossed book"


class OrderBookStream(Stream):
    """An order book. After an outage the difference between the last published book and the new one is a delta."""

    silence_limit_s = 30.0

    def __init__(self, unit: StreamUnit, symbol: Symbol, bus: Bus, health: UnitHealthReporter) -> None:
        self._symbol = symbol
        self._mirror = BookMirror(unit.checksum_every)
        self._follows = False
        """Whether changes apply to what was published: not from a failure until the next whole book."""
        super().__init__(unit, bus, health)

    async def follow(self, feed: Feed) -> None:
        """Follow ccxt's book of the symbol."""
        self._follows = False
        await feed.order_book(self._symbol, self, self.unit.depth)

    def take_snapshot(self, as_of: str) -> BookSnapshot:
        """Return the whole book."""
        return self._mirror.snapshot(as_of)

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: Event) -> None:
        """Publish what differs from the book last published, then that it is live."""
        self.heard()
        self.health.count("resyncs")
        delta = self._mirror.become(bids, asks, nonce)
        if delta is None:
            self._refuse()
            return
        self._follows = True
        self.publish(delta, event)
        self.live()

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: Event) -> None:
        """Publish what one message changed."""
        self.heard()
        if not self._follows:
            return
        delta = self._mirror.change(bids, asks, nonce)
        if delta is None:
            self._refuse()
        else:
            self.publish(delta, event)

    def book_broken(self, reason: str) -> None:
        """Publish no more of it until the exchange has sent the whole book again."""
        self.health.count("gaps")
        self._give_up(reason)

    def _refuse(self) -> None:
        self.health.count("crossed")
        self._give_up(CROSSED)

    def _give_up(self, reason: str) -> None:
        self._follows = False
        self.stale(reason)
        self.fail(reason)
