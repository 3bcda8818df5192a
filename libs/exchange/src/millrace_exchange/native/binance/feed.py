"""What Binance sends of its spot markets: the port `MarketFeed`."""

import asyncio
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from millrace_core.actions import CANDLES, ORDER_BOOK, TICKER, TRADES, StreamAction
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.market import Candle, Trade
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import levels_of, ticker_of
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts
from millrace_exchange.errors import Rejected
from millrace_exchange.listeners import (
    BookListener,
    CandlesListener,
    EventTimes,
    FieldsListener,
    TradesListener,
)
from millrace_exchange.native.binance.dialect import BinanceDialect
from millrace_exchange.native.binance.messages import DepthUpdate, KlineEvent, TickerEvent, TradeEvent
from millrace_exchange.native.book import NumberedBook, Snapshot
from millrace_exchange.native.dialect import Topic
from millrace_exchange.native.pool import ConnectionPool
from millrace_exchange.ports import MarketFeed

_LEAST_LEVELS: Final = 100
"""A snapshot of fewer weighs as much."""
_MOST_LEVELS: Final = 5_000
_FOLLOWED_S: Final = 0.25
"""How long an update is waited for that shows that a snapshot is not too old; a quiet market has none."""
_AGAIN: Final = BackoffPolicy(first_s=0.1, limit_s=5.0)
"""Pauses after snapshots that were too old: each weighs a hundredth of what is allowed in a minute."""

# Trades come in groups of one ms.
_datetime: Final = lru_cache(maxsize=64)(Shortcuts.iso8601)


class BinanceMarketFeed:
    """Spot markets over connections of our own; ccxt is asked for the others, and over REST."""

    def __init__(
        self,
        caller: CcxtCaller,
        listing: MarketListing,
        otherwise: MarketFeed,
        dialect: BinanceDialect | None = None,
    ) -> None:
        self._caller = caller
        self._listing = listing
        self._otherwise = otherwise
        self.fetch_order_book = otherwise.fetch_order_book
        self.fetch_trades = otherwise.fetch_trades
        self.fetch_candles = otherwise.fetch_candles
        # Spot markets have none.
        self.liquidations = otherwise.liquidations
        self._pool = ConnectionPool(self._address, dialect or BinanceDialect(), caller.profile.exchange, caller.gate)

    async def order_book(self, symbol: str, listener: BookListener, limit: int | None = None) -> None:
        """Stream a symbol's order book: first the whole book, then every change. `limit` is the depth asked for."""
        if (market_id := await self._spot(symbol)) is None:
            await self._otherwise.order_book(symbol, listener, limit)
            return
        wanted = limit or self._caller.profile.book.snapshot_levels or _MOST_LEVELS
        depth = min(max(wanted, _LEAST_LEVELS), _MOST_LEVELS)
        book = NumberedBook(listener)
        topic = Topic(f"{market_id.lower()}@depth@100ms", (DepthUpdate, market_id))
        with self._pool.subscribed(topic, ORDER_BOOK, book.take) as subscription:
            await subscription.unless_broken(subscription.active.wait())
            while True:
                await subscription.unless_broken(book.wants_snapshot.wait())
                await subscription.unless_broken(self._begin(book, symbol, depth))

    async def trades(self, symbol: str, listener: TradesListener) -> None:
        """Stream every public trade in a symbol, none twice while the connection holds."""
        if (market_id := await self._spot(symbol)) is None:
            await self._otherwise.trades(symbol, listener)
            return

        def take(events: list[TradeEvent], received_ns: int) -> None:
            listener.traded([_trade_of(event, symbol) for event in events], EventTimes(events[-1].time, received_ns))

        # One order that takes several makers is as many events, mostly in one piece.
        topic = Topic(f"{market_id.lower()}@trade", (TradeEvent, market_id))
        await self._pool.follow(topic, TRADES, take, in_batches=True)

    async def fields(self, action: StreamAction, symbol: str, listener: FieldsListener) -> None:
        """Stream one object of a symbol by its fields; the ticker natively."""
        if action is not TICKER or (market_id := await self._spot(symbol)) is None:
            await self._otherwise.fields(action, symbol, listener)
            return
        parse = self._caller.ccxt.parse_ws_ticker

        def take(event: TickerEvent, received_ns: int) -> None:
            # Once a second: ccxt's own rules for a unified ticker are worth their time.
            ticker = ticker_of(parse(msgspec.to_builtins(event), "spot"))
            listener.fields_changed(ticker, EventTimes(event.closed, received_ns))

        await self._pool.follow(Topic(f"{market_id.lower()}@ticker", (TickerEvent, market_id)), TICKER, take)

    async def candles(self, symbol: str, timeframe: str, listener: CandlesListener) -> None:
        """Stream a symbol's candles of one timeframe."""
        if (market_id := await self._spot(symbol)) is None:
            await self._otherwise.candles(symbol, timeframe, listener)
            return

        def take(event: KlineEvent, received_ns: int) -> None:
            listener.candles_changed([_candle_of(event)], EventTimes(None, received_ns))

        interval = self._interval(timeframe)
        topic = Topic(f"{market_id.lower()}@kline_{interval}", (KlineEvent, market_id, interval))
        await self._pool.follow(topic, CANDLES, take)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    def _address(self) -> str:
        return str(self._caller.ccxt.urls["api"]["ws"]["spot"])

    async def _spot(self, symbol: str) -> str | None:
        """Return the exchange's id of a spot market; None for any other symbol."""
        await self._listing.know(symbol)
        market: dict[str, Any] = self._caller.ccxt.markets.get(symbol) or {}
        return str(market["id"]) if market.get("spot") else None

    def _interval(self, timeframe: str) -> str:
        if (interval := self._caller.ccxt.timeframes.get(timeframe)) is None:
            known = ", ".join(self._caller.ccxt.timeframes)
            text = f"the exchange has no candles of {timeframe}; it has {known}"
            raise Rejected(text, exchange=self._caller.profile.exchange, action=CANDLES.name, kind="BadRequest")
        return str(interval)

    async def _begin(self, book: NumberedBook, symbol: str, depth: int) -> None:
        backoff = Backoff(_AGAIN)
        while True:
            snapshot = await self._snapshot(symbol, depth)
            try:
                async with asyncio.timeout(_FOLLOWED_S):
                    await book.is_followed.wait()
            except TimeoutError:
                pass
            if book.begin(snapshot):
                return
            await asyncio.sleep(backoff.failed())

    async def _snapshot(self, symbol: str, depth: int) -> Snapshot:
        answer = await self._caller.call("fetchOrderBook", self._caller.ccxt.fetch_order_book, symbol, depth)
        return Snapshot(answer["nonce"], levels_of(answer["bids"]), levels_of(answer["asks"]), depth)


def _trade_of(event: TradeEvent, symbol: str) -> Trade:
    return Trade(
        id=str(event.id),
        timestamp=event.time,
        symbol=symbol,
        side="sell" if event.is_buyer_maker else "buy",
        price=float(event.price),
        amount=float(event.amount),
        cost=float(Decimal(event.price) * Decimal(event.amount)),
        datetime=_datetime(event.time),
    )


def _candle_of(event: KlineEvent) -> Candle:
    kline = event.kline
    return kline.opened, kline.open, kline.high, kline.low, kline.close, kline.volume
