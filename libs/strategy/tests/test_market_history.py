"""Recent trades, candles, and the events of every stream."""

from typing import Any

import pytest

from millrace_core.actions import ACTIONS
from millrace_core.market import (
    CandlesDelta,
    ExchangePosition,
    ExchangePositionsDelta,
    Liquidation,
    LiquidationsDelta,
    Trade,
    TradesDelta,
)
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_strategy import (
    CandlesEvent,
    Context,
    Event,
    ExchangePositionsEvent,
    LiquidationsEvent,
    NotSubscribed,
    OwnTradesEvent,
    Strategy,
    SubscribedStream,
    TradesEvent,
)
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = ExchangeId("binance"), Symbol("KCS/USDT")
MINUTE_MS = 60_000
OPEN_MS = 1_763_799_960_000
"""A whole minute, 40 s before the harness's clock starts."""


class _Recorder(Strategy):
    """Notes its events."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)


def started(*actions: str) -> StrategyHarness:
    streams = [SubscribedStream(EXCHANGE, SYMBOL, Action(action)) for action in actions]
    harness = StrategyHarness(_Recorder, streams=streams)
    harness.start()
    harness.strategy.events.clear()
    return harness


def trade(at_ms: int, price: float, amount: float = 1.0) -> Trade:
    return Trade(str(at_ms), at_ms, SYMBOL, "buy", price, amount)


def test_recent_trades_are_kept_with_those_from_before_the_start() -> None:
    """Earlier ones are no event; averages weigh by amount."""
    harness = started("watchTrades")
    harness.runtime.earlier_trades(EXCHANGE, SYMBOL, [trade(OPEN_MS, 9.0)])
    harness.feed_trades(EXCHANGE, SYMBOL, [trade(OPEN_MS + 1, 10.0), trade(OPEN_MS + 2, 13.0, 2.0)])
    recent = harness.strategy.trades[EXCHANGE, SYMBOL]
    assert [each.price for each in recent] == [9.0, 10.0, 13.0]
    assert (recent.last.price, recent.average_price(OPEN_MS + 1)) == (13.0, 12.0)
    assert len(harness.strategy.events) == 1
    with pytest.raises(NotSubscribed, match="kucoin KCS/USDT: subscribe to watchTrades"):
        harness.strategy.trades["kucoin", SYMBOL]


def test_candles_are_built_from_trades_where_no_feed_has_them() -> None:
    """From the trades known when first asked for; each change is an event; the clock says which are closed."""
    harness = started("watchTrades")
    harness.feed_trades(EXCHANGE, SYMBOL, [trade(OPEN_MS, 10.0), trade(OPEN_MS + 1, 12.0)])
    candles = harness.strategy.candles[EXCHANGE, SYMBOL, "1m"]
    assert candles.is_built
    assert list(candles) == [(OPEN_MS, 10.0, 12.0, 10.0, 12.0, 2.0)]
    harness.feed_trades(EXCHANGE, SYMBOL, [trade(OPEN_MS + 2, 9.0), trade(OPEN_MS + MINUTE_MS, 11.0)])
    assert candles[-1] == (OPEN_MS + MINUTE_MS, 11.0, 11.0, 11.0, 11.0, 1.0)
    assert candles[0] == (OPEN_MS, 10.0, 12.0, 9.0, 9.0, 3.0)
    assert candles.closed == []
    harness.advance(MINUTE_MS)
    assert [candle[0] for candle in candles.closed] == [OPEN_MS]
    assert [type(event) for event in harness.strategy.events] == [TradesEvent, TradesEvent, CandlesEvent]
    assert [candle[0] for candle in harness.strategy.events[-1].candles] == [OPEN_MS, OPEN_MS + MINUTE_MS]
    with pytest.raises(ValueError, match="no timeframe"):
        harness.strategy.candles[EXCHANGE, SYMBOL, "fortnight"]


def test_the_feed_s_candles_come_before_built_ones() -> None:
    """Where the exchange's candles are subscribed to, they are shown as they come."""
    harness = started("watchTrades", "watchOHLCV")
    candle = (OPEN_MS, 1.0, 2.0, 0.5, 1.5, 7.0)
    harness.feed_stream(EXCHANGE, "watchOHLCV", SYMBOL, CandlesDelta("5m", [candle]))
    harness.feed_trades(EXCHANGE, SYMBOL, [trade(OPEN_MS + 1, 12.0)])
    assert list(harness.strategy.candles[EXCHANGE, SYMBOL, "5m"]) == [candle]
    assert not harness.strategy.candles[EXCHANGE, SYMBOL, "5m"].is_built


_POSITION = ExchangePosition(SYMBOL, "long", contracts=2.0)
_FIELDS = {"last": 5.0}
DATA: dict[str, tuple[Any, str, Any]] = {
    "watchOHLCV": (CandlesDelta("1m", [(1, 1.0, 1.0, 1.0, 1.0, 1.0)]), "on_candles", "candles"),
    "watchMyTrades": (TradesDelta([trade(1, 1.0)]), "on_own_trades", "trades"),
    "watchPositions": (ExchangePositionsDelta([_POSITION]), "on_exchange_positions", "positions"),
    "watchLiquidations": (LiquidationsDelta([Liquidation(SYMBOL, 1)]), "on_liquidations", "liquidations"),
    "watchTicker": (_FIELDS, "on_ticker", "fields"),
    "watchBidsAsks": (_FIELDS, "on_bids_asks", "fields"),
    "watchMarkPrice": (_FIELDS, "on_mark_price", "fields"),
    "watchFundingRate": (_FIELDS, "on_funding_rate", "fields"),
    "watchOpenInterest": (_FIELDS, "on_open_interest", "fields"),
}
"""A delta of each stream without a feeding method of its own, its hook, and the event's attribute that has the data."""
_OTHERS = {"watchOrderBook", "watchTrades", "watchOrders", "watchBalance"}


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - _OTHERS))
def test_each_stream_has_an_event_and_a_hook_of_its_own(action: str) -> None:
    """A new kind of stream fails here until it has one; the event says what changed."""
    data, hook, attribute = DATA[action]
    received: list[Any] = []
    strategy = type("Listener", (Strategy,), {hook: lambda self, event: received.append(event)})
    harness = StrategyHarness(strategy, streams=[SubscribedStream(EXCHANGE, SYMBOL, Action(action))])
    harness.start()
    harness.feed_stream(EXCHANGE, action, SYMBOL, data)
    (event,) = received
    expected = data if isinstance(data, dict) else getattr(data, data.__struct_fields__[-1])
    assert getattr(event, attribute) == expected


def test_after_a_gap_an_event_says_everything() -> None:
    """A snapshot has no delta: what the state holds is what may have changed."""
    harness = started("watchLiquidations", "watchPositions", "watchOHLCV")
    for action in ("watchLiquidations", "watchPositions", "watchOHLCV"):
        harness.feed_stream(EXCHANGE, action, SYMBOL, DATA[action][0])
    for (exchange, action, symbol), state in harness._states.items():
        harness.runtime.stream(ExchangeId(exchange), Action(action), Symbol(symbol or ""), None, state, timestamp=None)
        harness.host.run()
    again = harness.strategy.events[3:]
    assert [type(event) for event in again] == [LiquidationsEvent, ExchangePositionsEvent, CandlesEvent]
    assert again[1].changed == [_POSITION]


def test_own_trades_of_other_sources_are_an_event_too() -> None:
    """They concern the account, and are no fills of the strategy."""
    harness = started("watchMyTrades")
    harness.feed_own_trades(EXCHANGE, SYMBOL, [trade(1, 1.0)])
    assert [type(event) for event in harness.strategy.events] == [OwnTradesEvent]
