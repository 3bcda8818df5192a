"""How KuCoin's market streams are asked for, and what their events mean."""

from collections.abc import Mapping
from typing import Any, Final

from millrace_core.actions import BIDS_ASKS, CANDLES, ORDER_BOOK, TICKER, TRADES, StreamAction
from millrace_core.decimals import number
from millrace_core.market import Candle, Fields, Trade, candle_of
from millrace_exchange.ccxt.conversion import cost_of, ticker_of
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts
from millrace_exchange.native.dialect import Endpoint, Topic
from millrace_exchange.native.kucoin.messages import BestPrices, CandleUpdate, Match
from millrace_exchange.native.kucoin.sockets import LEVEL1, LEVEL2, MATCH, KucoinSockets

_TOPICS: Final[Mapping[StreamAction, str]] = {
    ORDER_BOOK: LEVEL2,
    TRADES: MATCH,
    TICKER: "/market/snapshot",
    BIDS_ASKS: LEVEL1,
    CANDLES: "/market/candles",
}
_NS: Final = 1_000_000
"""In a millisecond."""


class KucoinMarket(KucoinSockets):
    """The port `MarketDialect`."""

    most_levels: int | None = None

    async def endpoint(self) -> Endpoint:
        """Return where to connect."""
        return await self._endpoint(TRADES, self._caller.ccxt.public_post_bullet_public)

    def snapshot_levels(self, depth: SnapshotDepth | None) -> int | None:
        """Return the levels a side to ask for: all, which takes a key, else as many as there are without."""
        return None if self._caller.has_keys or depth is None else depth.asked

    def topic(self, action: StreamAction, market_id: str, interval: str | None = None) -> Topic:
        """Return the stream of an action, for candles of an interval by the exchange's name."""
        stream = f"{_TOPICS[action]}:{market_id}" + (f"_{interval}" if interval else "")
        return Topic(stream, stream)

    def trade(self, event: Match, symbol: str) -> Trade:
        """Return the trade of an event."""
        data = event.data
        timestamp = data.time // _NS
        return Trade(
            id=data.trade_id,
            timestamp=timestamp,
            symbol=symbol,
            side=data.side,
            price=number(data.price),
            amount=number(data.size),
            cost=cost_of(data.price, data.size),
            datetime=Shortcuts.iso8601(timestamp),
        )

    def candle(self, event: CandleUpdate) -> Candle:
        """Return the candle of an event."""
        opened_s, first, last, high, low, volume, _ = event.data.candles
        return candle_of(opened_s * 1000, first, high, low, last, volume)

    def fields(self, action: StreamAction, event: Any, symbol: str) -> Fields:
        """Return the ticker or the best prices of an event."""
        if action is BIDS_ASKS:
            return _best_prices(event, symbol)
        # Every two seconds: ccxt's own rules for a unified ticker are worth their time.
        ccxt = self._caller.ccxt
        return ticker_of(ccxt.parse_spot_or_uta_ticker(event.data.data, ccxt.markets[symbol]))


def _best_prices(event: BestPrices, symbol: str) -> Fields:
    timestamp = event.data.timestamp
    fields: Fields = {"symbol": symbol, "timestamp": timestamp, "datetime": Shortcuts.iso8601(timestamp)}
    for name, best in (("bid", event.data.bids), ("ask", event.data.asks)):
        if best:
            fields |= {name: best[0], f"{name}Volume": best[1]}
    return fields
