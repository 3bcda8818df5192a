"""The events of streams that bring data of a market or an account, by their actions. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from millrace_core.names import Symbol
from millrace_strategy.events import (
    BidsAsksEvent,
    CandlesEvent,
    Event,
    ExchangePositionsEvent,
    FundingRateEvent,
    LiquidationsEvent,
    MarkPriceEvent,
    OpenInterestEvent,
    TickerEvent,
)

_FIELDS_EVENTS: Final[dict[str, type[Any]]] = {
    "watchTicker": TickerEvent,
    "watchBidsAsks": BidsAsksEvent,
    "watchMarkPrice": MarkPriceEvent,
    "watchFundingRate": FundingRateEvent,
    "watchOpenInterest": OpenInterestEvent,
}


def stream_events(action: str, symbol: Symbol | None, data: Any, state: Any, about: dict[str, Any]) -> Iterator[Event]:
    """Yield the events of an update; without data, as after a gap, they say everything that the state holds."""
    of_market = {"symbol": symbol, **about}
    if action in _FIELDS_EVENTS:
        fields = dict(state.fields)
        yield _FIELDS_EVENTS[action](changed=fields if data is None else data, fields=fields, **of_market)
    elif action == "watchOHLCV":
        changed = (
            {timeframe: list(candles.values()) for timeframe, candles in state.timeframes.items()}
            if data is None
            else {data.timeframe: data.candles}
        )
        for timeframe, candles in changed.items():
            yield CandlesEvent(timeframe=timeframe, candles=candles, **of_market)
    elif action == "watchPositions":
        positions = list(state.open.values())
        yield ExchangePositionsEvent(
            changed=positions if data is None else data.positions, positions=positions, **about
        )
    elif action == "watchLiquidations":
        liquidations = list(state.liquidations) if data is None else data.liquidations
        yield LiquidationsEvent(liquidations=liquidations, **of_market)
