"""Tickers: the fields that changed."""

from typing import Any

from millrace_bus import Bus
from millrace_core.market import Ticker
from millrace_core.names import Symbol
from millrace_exchange import Event, Feed
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter


class TickerStream(Stream):
    """The ticker of one symbol."""

    def __init__(self, unit: StreamUnit, symbol: Symbol, bus: Bus, health: UnitHealthReporter) -> None:
        self._symbol = symbol
        self._ticker: Ticker = {}
        super().__init__(unit, bus, health)

    async def follow(self, feed: Feed) -> None:
        """Follow ccxt's ticker."""
        await feed.ticker(self._symbol, self)

    def take_snapshot(self, as_of: str) -> dict[str, Any]:
        """Return the whole ticker."""
        return {**self._ticker, "asOf": as_of}

    def ticker_changed(self, ticker: Ticker, event: Event) -> None:
        """Publish the fields that changed."""
        self.heard()
        changed = {name: value for name, value in ticker.items() if self._ticker.get(name) != value}
        self._ticker.update(changed)
        self.publish(changed, event)
        self.live()
