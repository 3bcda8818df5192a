"""Tickers: the fields that changed, or that have no value any more."""

from typing import Any, ClassVar

from millrace_bus import Bus
from millrace_core.actions import TICKER, StreamAction
from millrace_core.market import Ticker
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.readable import fields_with_value
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter


class TickerStream(Stream):
    """The ticker of one symbol."""

    action: ClassVar[StreamAction] = TICKER

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._ticker: Ticker = {}
        super().__init__(unit, exchange, bus, health)

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long a healthy ticker may be silent."""
        return self.exchange.profile.silence.ticker_ms

    async def follow(self) -> None:
        """Follow the exchange's ticker of the symbol."""
        await self.exchange.market.ticker(self.symbol, self)

    def take_snapshot(self, as_of: str) -> dict[str, Any]:
        """Return the whole ticker."""
        return {**self._ticker, "asOf": as_of}

    def ticker_changed(self, ticker: Ticker, event: EventTimes) -> None:
        """Publish the fields that changed, and null for those that have no value any more."""
        self.on_message()
        present = fields_with_value(ticker)
        changed = {name: value for name, value in present.items() if self._ticker.get(name) != value}
        # A bid that ran out would stay for ever.
        gone: Ticker = dict.fromkeys(self._ticker.keys() - present.keys())
        self._ticker = present
        self.publish({**changed, **gone}, event)
        self.live()
