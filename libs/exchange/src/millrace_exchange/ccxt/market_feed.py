"""What an exchange sends by itself, and the questions that fill what it did not send.

Each method named for a stream runs until it is cancelled or the stream breaks; meanwhile its listener is told of
every message. When it breaks, nothing goes on by itself: whoever started it starts it again, and the exchange's
first message is then a whole state again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ccxt.base.errors import NetworkError

from millrace_core.market import Balances, Candle, Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.cancellation import was_cancelled
from millrace_exchange.ccxt.conversion import balances_of, order_of, trade_of
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.errors import ExchangeError
from millrace_exchange.listeners import (
    BalanceListener,
    BookListener,
    CandlesListener,
    Listener,
    OrdersListener,
    TickerListener,
    TradesListener,
)

if TYPE_CHECKING:
    from millrace_exchange.ccxt.exchange import Exchange

_UNSUBSCRIBE_TIMEOUT_S: Final = 0.5
TRADES_LIMIT: Final = 1000


class Feed:
    """The streams of one exchange, as one account (or the public) sees them.

    Raises:
        Retryable, Rejected, Fatal: from every method, see `millrace_exchange.errors`. A stream that broke is
            `Retryable`; `kind` says how: `ChecksumError` for a gap that ccxt found, `NetworkError`, ….
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    async def order_book(self, symbol: str, listener: BookListener, limit: int | None = None) -> NoReturn:
        """Tell of a symbol's order book: first the whole, then every change; `limit` is the depth asked for."""
        ccxt = self._exchange.ccxt
        await self._follow("watchOrderBook", symbol, listener, lambda: ccxt.watch_order_book(symbol, limit))

    async def trades(self, symbol: str, listener: TradesListener) -> NoReturn:
        """Tell of every public trade in a symbol, none twice as long as the connection holds."""
        ccxt = self._exchange.ccxt
        await self._follow("watchTrades", symbol, listener, lambda: ccxt.watch_trades(symbol))

    async def ticker(self, symbol: str, listener: TickerListener) -> NoReturn:
        """Tell of a symbol's ticker."""
        ccxt = self._exchange.ccxt
        await self._follow("watchTicker", symbol, listener, lambda: ccxt.watch_ticker(symbol))

    async def candles(self, symbol: str, timeframe: str, listener: CandlesListener) -> NoReturn:
        """Tell of a symbol's candles of one timeframe."""
        ccxt = self._exchange.ccxt
        kind = f"watchOHLCV {timeframe}"
        await self._follow(kind, symbol, listener, lambda: ccxt.watch_ohlcv(symbol, timeframe))

    async def orders(self, symbol: str, listener: OrdersListener) -> NoReturn:
        """Tell of every change of the account's orders in a symbol."""
        await self._follow("watchOrders", symbol, listener, lambda: self._exchange.ccxt.watch_orders(symbol))

    async def my_trades(self, symbol: str, listener: TradesListener) -> NoReturn:
        """Tell of every trade of the account in a symbol."""
        await self._follow("watchMyTrades", symbol, listener, lambda: self._exchange.ccxt.watch_my_trades(symbol))

    async def balance(self, listener: BalanceListener) -> NoReturn:
        """Tell of the account's balances as they change; the exchange does not tell of those that do not."""
        await self._follow("watchBalance", None, listener, self._exchange.ccxt.watch_balance)

    async def fetch_trades(self, symbol: str, after: Trade | None = None) -> list[Trade]:
        """Ask for the newest trades, oldest first: 1,000 at most, or where the exchange can, those after `after`."""
        params = self._after(after)
        raw = await self._ask("fetchTrades", self._exchange.ccxt.fetch_trades, symbol, None, TRADES_LIMIT, params)
        return [trade_of(trade) for trade in raw]

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Ask for the account's newest trades in a symbol, oldest first."""
        ask = self._exchange.ccxt.fetch_my_trades
        raw = await self._ask("fetchMyTrades", ask, symbol, since_ms, None if since_ms is None else TRADES_LIMIT)
        return [trade_of(trade) for trade in raw]

    async def fetch_open_orders(self, symbol: str) -> list[Order]:
        """Ask for the account's open orders in a symbol."""
        return [order_of(o) for o in await self._ask("fetchOpenOrders", self._exchange.ccxt.fetch_open_orders, symbol)]

    async def fetch_order(self, symbol: str, order_id: str) -> Order | None:
        """Ask for one order; None where the exchange knows none of that id."""
        return await self._exchange.account.fetch_order(symbol, order_id=order_id)

    async def fetch_balance(self) -> Balances:
        """Ask for all balances of the account that are not zero."""
        held = balances_of(await self._ask("fetchBalance", self._exchange.ccxt.fetch_balance))
        return {code: balance for code, balance in held.items() if balance.total}

    async def fetch_candles(self, symbol: str, timeframe: str, limit: int) -> list[Candle]:
        """Ask for the newest candles, oldest first."""
        ask = self._exchange.ccxt.fetch_ohlcv
        return [tuple(row) for row in await self._ask("fetchOHLCV", ask, symbol, timeframe, None, limit)]

    async def _ask(self, action: str, method: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        return await self._exchange.call(action, method, *arguments)

    def _after(self, after: Trade | None) -> dict[str, Any]:
        if self._exchange.id != "binance":
            return {}
        # By default ccxt asks Binance for aggregated trades, whose ids are not those of the stream. Those after an
        # id are given only to who has a key.
        if after is None or after.id is None or not self._exchange.has_keys:
            return {"fetchTradesMethod": "publicGetTrades"}
        return {"fetchTradesMethod": "publicGetHistoricalTrades", "fromId": int(after.id) + 1}

    async def _follow(
        self, kind: str, symbol: str | None, listener: Listener, watch: Callable[[], Awaitable[Any]]
    ) -> NoReturn:
        recorder, action = self._exchange.ccxt.recorder, kind.split()[0]
        await self._exchange.call("loadMarkets", self._exchange.ccxt.load_markets)
        if action == "watchOrderBook" and symbol is not None:
            recorder.begin_book(symbol)
        recorder.add(kind, symbol, listener)
        self._catch_up(action, symbol)
        try:
            await self._exchange.follow(action, watch)
        finally:
            recorder.remove(kind, symbol, listener)
            if was_cancelled():
                await self._unsubscribe(kind, symbol)
            if symbol is not None and action == "watchOrderBook":
                self._drop_void(symbol)

    def _catch_up(self, action: str, symbol: str | None) -> None:
        # A subscription that outlived its last listener, where the exchange cannot end one, sends no first state.
        book = self._exchange.ccxt.orderbooks.get(symbol) if action == "watchOrderBook" else None
        if isinstance(book, RecordedBook) and book["nonce"] is not None:
            book.replaced = True
            self._exchange.ccxt.recorder.tell(book)

    def _drop_void(self, symbol: str) -> None:
        """Make sure that a book which misses something is not gone on with."""
        ccxt = self._exchange.ccxt
        if (client := ccxt.recorder.take_void(symbol)) is None or symbol not in ccxt.orderbooks:
            return
        # The subscription could not be ended, and without a new one there is no new book.
        del ccxt.orderbooks[symbol]
        client.on_error(NetworkError("a book over it misses something, and its subscription does not end"))

    async def _unsubscribe(self, kind: str, symbol: str | None) -> None:
        action, _, timeframe = kind.partition(" ")
        ccxt = self._exchange.ccxt
        if symbol is None or ccxt.closed_by_user or not ccxt.has.get(action.replace("watch", "unWatch")):
            return
        methods = {
            "watchOrderBook": lambda: ccxt.un_watch_order_book(symbol),
            "watchTrades": lambda: ccxt.un_watch_trades(symbol),
            "watchTicker": lambda: ccxt.un_watch_ticker(symbol),
            "watchOHLCV": lambda: ccxt.un_watch_ohlcv(symbol, timeframe),
        }
        if (method := methods.get(action)) is not None:
            with contextlib.suppress(ExchangeError, TimeoutError):
                async with asyncio.timeout(_UNSUBSCRIBE_TIMEOUT_S):
                    await self._exchange.call(action, method)
