"""What an exchange sends, through ccxt: the ports `MarketFeed` and `AccountFeed`."""

from typing import Any

from millrace_core.actions import (
    BALANCE,
    CANDLES,
    LIQUIDATIONS,
    MY_TRADES,
    ORDER_BOOK,
    ORDERS,
    POSITIONS,
    TRADES,
    StreamAction,
)
from millrace_core.market import Candle, Level, Trade
from millrace_exchange.ccxt.book_following import follow_book
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import sides_of, trade_of
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.order_queries import CcxtOrderQueries
from millrace_exchange.ccxt.polling import is_polled, poll
from millrace_exchange.ccxt.sessions import StreamSessions
from millrace_exchange.ccxt.streams import follow
from millrace_exchange.ccxt.subscriptions import cut_mute
from millrace_exchange.listeners import (
    BalanceListener,
    BookListener,
    CandlesListener,
    FieldsListener,
    LiquidationsListener,
    OnSubscribed,
    OrdersListener,
    OwnTradesListener,
    PositionsListener,
    TradesListener,
    ignore,
)


class CcxtMarketFeed:
    """The port `MarketFeed`."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing, sessions: StreamSessions) -> None:
        self._caller = caller
        self._listing = listing
        self._sessions = sessions

    async def order_book(self, symbol: str, listener: BookListener, limit: int | None = None) -> None:
        """Stream a symbol's order book: first the whole book, then every change. `limit` is the depth asked for."""
        await self._listing.know(symbol)
        if is_polled(self._caller.ccxt, ORDER_BOOK):
            await poll(self._caller, ORDER_BOOK, symbol, listener, limit)
        else:
            await self._sessions.follow(
                ORDER_BOOK, listener, lambda caller, source: follow_book(caller, symbol, source, limit)
            )

    async def trades(self, symbol: str, listener: TradesListener) -> None:
        """Stream every public trade in a symbol, none twice while the connection holds."""
        await self._listing.know(symbol)
        await self._sessions.follow(TRADES, listener, lambda caller, source: follow(caller, TRADES, symbol, source))

    async def fields(self, action: StreamAction, symbol: str, listener: FieldsListener) -> None:
        """Stream one object of a symbol by its fields: `action` is one of `FIELDS_ACTIONS`."""
        await self._listing.know(symbol)
        await self._sessions.follow(action, listener, lambda caller, source: follow(caller, action, symbol, source))

    async def candles(self, symbol: str, timeframe: str, listener: CandlesListener) -> None:
        """Stream a symbol's candles of one timeframe."""
        await self._listing.know(symbol)
        await self._sessions.follow(
            CANDLES, listener, lambda caller, source: follow(caller, CANDLES, symbol, source, timeframe)
        )

    async def liquidations(self, symbol: str, listener: LiquidationsListener) -> None:
        """Stream a symbol's liquidations, none twice while the connection holds."""
        await self._listing.know(symbol)
        await self._sessions.follow(
            LIQUIDATIONS, listener, lambda caller, source: follow(caller, LIQUIDATIONS, symbol, source)
        )

    async def fetch_order_book(self, symbol: str, limit: int | None = None) -> tuple[list[Level], list[Level]]:
        """Return the best bids and asks, best first: `limit` of each, or as many as the exchange has a default for."""
        await self._listing.know(symbol)
        asked = self._caller.profile.book.snapshot_limit(limit)
        bids, asks = await self._caller.call(
            "fetchOrderBook", self._caller.ccxt.fetch_order_book, symbol, asked, read=sides_of
        )
        return bids[:limit], asks[:limit]

    async def fetch_trades(self, symbol: str, after: Trade | None = None, limit: int | None = None) -> list[Trade]:
        """Return the newest trades, `limit` at most, oldest first; those after `after` where the exchange can."""
        await self._listing.know(symbol)
        ask, page = self._caller.ccxt.fetch_trades, limit or self._caller.profile.history.public_trades.page
        trades: list[Trade] = await self._caller.call(
            "fetchTrades", ask, symbol, None, page, self._params(after), read=self._public_trades
        )
        return trades

    async def fetch_candles(self, symbol: str, timeframe: str, limit: int, since_ms: int | None = None) -> list[Candle]:
        """Return the newest candles, or those that opened from a time on; oldest first, and `limit` at most."""
        await self._listing.know(symbol)
        ask = self._caller.ccxt.fetch_ohlcv
        candles: list[Candle] = await self._caller.call(
            "fetchOHLCV", ask, symbol, timeframe, since_ms, limit, read=lambda rows: [tuple(row) for row in rows]
        )
        return candles

    def _public_trades(self, answer: list[dict[str, Any]]) -> list[Trade]:
        name = self._caller.profile.history.public_trades_id
        return [
            trade_of(trade if name is None or trade["id"] else {**trade, "id": trade["info"][name]}) for trade in answer
        ]

    def _params(self, after: Trade | None) -> dict[str, Any]:
        history = self._caller.profile.history
        if after is None or after.id is None or not (history.public_trades_after_id and self._caller.has_keys):
            return dict(history.public_trades_params)
        return {**history.public_trades_after_params, "fromId": int(after.id) + 1}


class CcxtAccountFeed(CcxtOrderQueries):
    """The port `AccountFeed`."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing, sessions: StreamSessions) -> None:
        super().__init__(caller, listing)
        self._sessions = sessions

    async def orders(self, symbol: str, listener: OrdersListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every change of the account's orders in a symbol."""
        on_subscribed()
        await self._listing.know(symbol)
        await self._sessions.follow(ORDERS, listener, lambda caller, source: follow(caller, ORDERS, symbol, source))

    async def my_trades(self, symbol: str, listener: OwnTradesListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every trade of the account in a symbol."""
        on_subscribed()
        await self._listing.know(symbol)
        await self._sessions.follow(
            MY_TRADES, listener, lambda caller, source: follow(caller, MY_TRADES, symbol, source)
        )

    async def balance(self, listener: BalanceListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream the balances that change."""
        on_subscribed()
        await self._listing.know(None)
        await self._sessions.follow(BALANCE, listener, lambda caller, source: follow(caller, BALANCE, None, source))

    async def positions(self, listener: PositionsListener) -> None:
        """Stream the positions that change."""
        await self._listing.know(None)
        await self._sessions.follow(POSITIONS, listener, lambda caller, source: follow(caller, POSITIONS, None, source))

    def replace_mute(self, since_ns: int) -> None:
        """Cut the connections that have brought nothing since a time: their streams end, and begin over new ones."""
        for caller in self._sessions.callers:
            cut_mute(caller.account_connections, since_ns)
