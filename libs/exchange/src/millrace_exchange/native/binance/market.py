"""How Binance's market streams are asked for, and what their events mean."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from millrace_core.actions import BIDS_ASKS, CANDLES, ORDER_BOOK, TICKER, TRADES, StreamAction
from millrace_core.decimals import number
from millrace_core.market import Candle, Fields, Trade, candle_of
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import cost_of, ticker_of
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts
from millrace_exchange.native.binance import frames
from millrace_exchange.native.binance.messages import BestPrices, DepthUpdate, KlineEvent, TickerEvent, TradeEvent
from millrace_exchange.native.dialect import ConnectionRules, Endpoint, Topic

# "WebSocket Limits": 5 messages a second, pings and pongs among them; 1,024 streams a connection; 300 connections in 5
# minutes. "A single connection is only valid for 24 hours."
RULES: Final = ConnectionRules(
    streams=1_024,
    streams_a_request=200,
    request_interval_s=0.25,
    connect_interval_s=1.0,
    lifetime_s=23.5 * 3600,
)
_STREAMS: Final[dict[StreamAction, tuple[str, type]]] = {
    ORDER_BOOK: ("depth@100ms", DepthUpdate),
    TRADES: ("trade", TradeEvent),
    TICKER: ("ticker", TickerEvent),
    BIDS_ASKS: ("bookTicker", BestPrices),
}

# Trades come in groups of one ms.
_datetime: Final = lru_cache(maxsize=64)(Shortcuts.iso8601)


class BinanceMarket:
    """The port `MarketDialect`."""

    most_levels: int | None = 5_000

    def __init__(self, caller: CcxtCaller, rules: ConnectionRules = RULES) -> None:
        self.rules = rules
        self.decode = frames.decode
        self._ccxt = caller.ccxt

    async def endpoint(self) -> Endpoint:
        """Return where to connect."""
        return Endpoint(str(self._ccxt.urls["api"]["ws"]["spot"]))

    def request_group(self, stream: str) -> Hashable:
        """Return the same for all: a request may name any streams."""
        return None

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to begin streams; the response carries its number."""
        return msgspec.json.encode({"method": "SUBSCRIBE", "params": streams, "id": number})

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end streams."""
        return msgspec.json.encode({"method": "UNSUBSCRIBE", "params": streams, "id": number})

    def ping(self) -> None:
        """Return nothing: pings of WebSocket are answered."""

    def snapshot_levels(self, depth: SnapshotDepth | None) -> int | None:
        """Return the levels a side to ask for."""
        return self.most_levels if depth is None else depth.asked

    def topic(self, action: StreamAction, market_id: str, interval: str | None = None) -> Topic:
        """Return the stream of an action, for candles of an interval by the exchange's name."""
        if action is CANDLES:
            return Topic(f"{market_id.lower()}@kline_{interval}", (KlineEvent, market_id, interval))
        name, event = _STREAMS[action]
        return Topic(f"{market_id.lower()}@{name}", (event, market_id))

    def trade(self, event: TradeEvent, symbol: str) -> Trade:
        """Return the trade of an event."""
        return Trade(
            id=str(event.id),
            timestamp=event.time,
            symbol=symbol,
            side="sell" if event.is_buyer_maker else "buy",
            price=number(event.price),
            amount=number(event.amount),
            cost=cost_of(event.price, event.amount),
            datetime=_datetime(event.time),
        )

    def candle(self, event: KlineEvent) -> Candle:
        """Return the candle of an event."""
        kline = event.kline
        return candle_of(kline.opened, kline.open, kline.high, kline.low, kline.close, kline.volume)

    def fields(self, action: StreamAction, event: Any, symbol: str) -> Fields:
        """Return the ticker or the best prices of an event."""
        if action is BIDS_ASKS:
            return _best_prices(event, symbol)
        # Once a second: ccxt's own rules for a unified ticker are worth their time.
        return ticker_of(self._ccxt.parse_ws_ticker(msgspec.to_builtins(event), "spot"))


def _best_prices(event: BestPrices, symbol: str) -> Fields:
    fields: Fields = {"symbol": symbol}
    if event.bid:
        fields |= {"bid": event.bid, "bidVolume": event.bid_amount}
    if event.ask:
        fields |= {"ask": event.ask, "askVolume": event.ask_amount}
    return fields
