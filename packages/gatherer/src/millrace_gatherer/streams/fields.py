"""Tickers and their like: the fields that changed, or that have no value any more."""

from typing import Any, ClassVar

from millrace_bus import Bus
from millrace_core.actions import BIDS_ASKS, FUNDING_RATE, MARK_PRICE, OPEN_INTEREST, TICKER, StreamAction
from millrace_core.market import Fields
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.readable import fields_with_value
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter


class FieldsStream(Stream):
    """One object of a symbol."""

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._fields: Fields = {}
        super().__init__(unit, exchange, bus, health)

    async def follow(self) -> None:
        """Follow the exchange's object of the symbol."""
        await self.exchange.market.fields(self.action, self.symbol, self)

    def take_snapshot(self, as_of: str) -> dict[str, Any]:
        """Return all fields."""
        return {**self._fields, "asOf": as_of}

    def fields_changed(self, fields: Fields, event: EventTimes) -> None:
        """Publish the fields that changed, and null for those that have no value any more."""
        self.on_message()
        present = fields_with_value(fields)
        changed = {name: value for name, value in present.items() if self._fields.get(name) != value}
        # A bid that ran out would stay for ever.
        gone: Fields = dict.fromkeys(self._fields.keys() - present.keys())
        self._fields = present
        self.publish({**changed, **gone}, event)
        self.live()


class TickerStream(FieldsStream):
    """The ticker of one symbol."""

    action: ClassVar[StreamAction] = TICKER

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long a healthy ticker may be silent."""
        return self.exchange.profile.silence.ticker_ms


class BidsAsksStream(FieldsStream):
    """The best bid and ask of one symbol."""

    action: ClassVar[StreamAction] = BIDS_ASKS


class MarkPriceStream(FieldsStream):
    """The mark price of one symbol."""

    action: ClassVar[StreamAction] = MARK_PRICE


class FundingRateStream(FieldsStream):
    """The funding rate of one symbol."""

    action: ClassVar[StreamAction] = FUNDING_RATE


class OpenInterestStream(FieldsStream):
    """The open interest of one symbol."""

    action: ClassVar[StreamAction] = OPEN_INTEREST
