"""Following ccxt's streams: subscribing, handing every message to a listener, and ending the subscription."""

import asyncio
import contextlib
from typing import Any, Final

from ccxt.base.errors import NetworkError

from millrace_core.actions import BALANCE, CANDLES, MY_TRADES, ORDER_BOOK, ORDERS, TICKER, TRADES, StreamAction
from millrace_exchange.ccxt.caller import CcxtCaller, was_cancelled
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.ccxt.recording.recorder import Recorder, StreamKey
from millrace_exchange.errors import ExchangeError
from millrace_exchange.listeners import ExchangeListener

METHODS: Final = {
    ORDER_BOOK: "watch_order_book",
    TRADES: "watch_trades",
    TICKER: "watch_ticker",
    CANDLES: "watch_ohlcv",
    ORDERS: "watch_orders",
    MY_TRADES: "watch_my_trades",
    BALANCE: "watch_balance",
}
"""ccxt's method that streams each action. Of public ones, `un_` and the same ends the subscription of one symbol; an
account's one subscription serves all symbols, and stays."""
_UNSUBSCRIBE_TIMEOUT_S: Final = 0.5


async def follow(
    caller: CcxtCaller, action: StreamAction, symbol: str | None, listener: ExchangeListener, *arguments: Any
) -> None:
    """Call a listener for every message of a stream until cancelled; `arguments` are those of ccxt's method.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke. `kind` says how: `ChecksumError` for a gap that ccxt found,
            `NetworkError`, ….
    """
    ccxt = caller.ccxt
    recorder: Recorder = ccxt.recorder
    key: StreamKey = (action.name, symbol, arguments[-1] if action.per_timeframe else None)
    await caller.load_markets()
    book_symbol = symbol if action is ORDER_BOOK else None
    if book_symbol is not None:
        recorder.begin_book(book_symbol)
    recorder.add(key, listener)
    if book_symbol is not None:
        _repeat_book(caller, book_symbol)
    try:
        await caller.follow(action.name, getattr(ccxt, METHODS[action]), *arguments)
    finally:
        recorder.remove(key, listener)
        if was_cancelled():
            await _unsubscribe(caller, action, key)
        if book_symbol is not None:
            _drop_incomplete(caller, book_symbol)


def _repeat_book(caller: CcxtCaller, symbol: str) -> None:
    # A subscription that outlived its last listener, where the exchange cannot end one, sends no first state.
    book = caller.ccxt.orderbooks.get(symbol)
    if isinstance(book, RecordedBook) and book["nonce"] is not None:
        book.replaced = True
        caller.ccxt.recorder.deliver(book)


def _drop_incomplete(caller: CcxtCaller, symbol: str) -> None:
    """Forget an incomplete book, so that it is not continued."""
    ccxt = caller.ccxt
    if (client := ccxt.recorder.take_incomplete(symbol)) is None or symbol not in ccxt.orderbooks:
        return
    # The subscription could not be ended, and without a new one there is no new book.
    del ccxt.orderbooks[symbol]
    client.on_error(NetworkError("an order book misses updates and its subscription cannot be ended: reconnecting"))


async def _unsubscribe(caller: CcxtCaller, action: StreamAction, key: StreamKey) -> None:
    ccxt = caller.ccxt
    if action.is_private or ccxt.closed_by_user or not ccxt.has.get(action.name.replace("watch", "unWatch")):
        return
    arguments = [part for part in key[1:] if part is not None]
    with contextlib.suppress(ExchangeError, TimeoutError):
        async with asyncio.timeout(_UNSUBSCRIBE_TIMEOUT_S):
            await caller.call(action.name, getattr(ccxt, f"un_{METHODS[action]}"), *arguments)
