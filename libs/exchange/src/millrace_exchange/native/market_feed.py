"""What an exchange sends of its spot markets, natively: the port `MarketFeed`."""

import asyncio
from typing import Any, Final, Protocol

from millrace_core.actions import BIDS_ASKS, CANDLES, ORDER_BOOK, TICKER, TRADES, StreamAction
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.market import Candle, Fields, Trade
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import sides_of
from millrace_exchange.ccxt.feeds import CcxtMarketFeed
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth
from millrace_exchange.ccxt.sessions import StreamSessions
from millrace_exchange.errors import Rejected
from millrace_exchange.listeners import (
    BookListener,
    CandlesListener,
    EventTimes,
    FieldsListener,
    TradesListener,
)
from millrace_exchange.native.book import NumberedBook, Snapshot
from millrace_exchange.native.dialect import Dialect, Topic
from millrace_exchange.native.markets import spot_market_id
from millrace_exchange.native.pool import ConnectionPool
from millrace_exchange.newest import Newest

_FOLLOWED_S: Final = 0.25
"""How long an update is waited for that shows that a snapshot is not too old; a quiet market has none."""
_AGAIN: Final = BackoffPolicy(first_s=0.1, limit_s=5.0)
"""Pauses after snapshots that were too old: each weighs a hundredth of what is allowed in a minute."""


class MarketDialect(Dialect, Protocol):
    """How an exchange names the streams of a market, and what their events say."""

    most_levels: int | None
    """Levels a side that a snapshot has at most; None for all."""

    def snapshot_levels(self, depth: SnapshotDepth | None) -> int | None:
        """Return the levels a side to ask for, so that a snapshot reaches so far; None for all."""

    def topic(self, action: StreamAction, market_id: str, interval: str | None = None) -> Topic:
        """Return the stream of an action, for candles of an interval by the exchange's name."""

    def trade(self, event: Any, symbol: str) -> Trade:
        """Return the trade of an event."""

    def candle(self, event: Any) -> Candle:
        """Return the candle of an event."""

    def fields(self, action: StreamAction, event: Any, symbol: str) -> Fields:
        """Return the ticker or the best prices of an event."""


class NativeMarketFeed(CcxtMarketFeed):
    """Spot markets over connections of our own; ccxt is asked for the others, and over REST."""

    def __init__(
        self, caller: CcxtCaller, listing: MarketListing, sessions: StreamSessions, dialect: MarketDialect
    ) -> None:
        super().__init__(caller, listing, sessions)
        self._dialect = dialect
        self._pool = ConnectionPool(dialect, caller.profile, caller.gate)

    async def order_book(self, symbol: str, listener: BookListener, limit: int | None = None) -> None:
        """Stream a symbol's order book: first the whole book, then every change. `limit` is the depth asked for."""
        if (market_id := await self._market_id(symbol)) is None:
            await super().order_book(symbol, listener, limit)
            return
        most = self._dialect.most_levels
        depth = SnapshotDepth.of(self._caller.profile.book, min(limit, most) if limit and most else limit)
        book = NumberedBook(listener, depth)
        levels = self._dialect.snapshot_levels(depth)
        topic = self._dialect.topic(ORDER_BOOK, market_id)
        with self._pool.subscribed(topic, ORDER_BOOK, book.take) as subscription:
            await subscription.unless_broken(subscription.active.wait())
            while True:
                await subscription.unless_broken(book.wants_snapshot.wait())
                await subscription.unless_broken(self._begin(book, symbol, levels))

    async def trades(self, symbol: str, listener: TradesListener) -> None:
        """Stream every public trade in a symbol, none twice while the connection holds."""
        if (market_id := await self._market_id(symbol)) is None:
            await super().trades(symbol, listener)
            return
        trade = self._dialect.trade

        def take(events: list[Any], received_ns: int) -> None:
            trades = [trade(event, symbol) for event in events]
            listener.traded(trades, EventTimes(trades[-1].timestamp, received_ns))

        # One order that takes several makers is as many events, mostly in one piece.
        await self._pool.follow(self._dialect.topic(TRADES, market_id), TRADES, take, in_batches=True)

    async def fields(self, action: StreamAction, symbol: str, listener: FieldsListener) -> None:
        """Stream one object of a symbol by its fields; the ticker and the best prices natively."""
        if action not in (TICKER, BIDS_ASKS) or (market_id := await self._market_id(symbol)) is None:
            await super().fields(action, symbol, listener)
            return

        newest = Newest()

        def take(event: Any, received_ns: int) -> None:
            if newest.is_late(symbol, event.position):
                return
            fields = self._dialect.fields(action, event, symbol)
            listener.fields_changed(fields, EventTimes(fields.get("timestamp"), received_ns))

        await self._pool.follow(self._dialect.topic(action, market_id), action, take)

    async def candles(self, symbol: str, timeframe: str, listener: CandlesListener) -> None:
        """Stream a symbol's candles of one timeframe."""
        if (market_id := await self._market_id(symbol)) is None:
            await super().candles(symbol, timeframe, listener)
            return

        def take(event: Any, received_ns: int) -> None:
            listener.candles_changed([self._dialect.candle(event)], EventTimes(None, received_ns))

        topic = self._dialect.topic(CANDLES, market_id, self._interval(timeframe))
        await self._pool.follow(topic, CANDLES, take)

    async def is_native(self, action: StreamAction, symbol: str | None) -> bool:
        """Tell whether a stream comes over a connection of our own."""
        has_stream = action in (ORDER_BOOK, TRADES, CANDLES, TICKER, BIDS_ASKS)
        return has_stream and symbol is not None and await self._market_id(symbol) is not None

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _market_id(self, symbol: str) -> str | None:
        return await spot_market_id(self._caller, self._listing, symbol)

    def _interval(self, timeframe: str) -> str:
        if (interval := self._caller.ccxt.timeframes.get(timeframe)) is None:
            known = ", ".join(self._caller.ccxt.timeframes)
            text = f"the exchange has no candles of {timeframe}; it has {known}"
            raise Rejected(text, exchange=self._caller.profile.exchange, action=CANDLES.name, kind="BadRequest")
        return str(interval)

    async def _begin(self, book: NumberedBook, symbol: str, levels: int | None) -> None:
        backoff = Backoff(_AGAIN)
        while True:
            snapshot = await self._snapshot(symbol, levels)
            try:
                async with asyncio.timeout(_FOLLOWED_S):
                    await book.is_followed.wait()
            except TimeoutError:
                pass
            if book.begin(snapshot):
                return
            await asyncio.sleep(backoff.failed())

    async def _snapshot(self, symbol: str, levels: int | None) -> Snapshot:
        ask = self._caller.ccxt.fetch_order_book
        snapshot: Snapshot = await self._caller.call("fetchOrderBook", ask, symbol, levels, read=_snapshot_of)
        return snapshot


def _snapshot_of(answer: Any) -> Snapshot:
    return Snapshot(int(answer["nonce"]), *sides_of(answer))
