"""Following an order book through ccxt: it begins with a whole one each time, and what is known of it keeps up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from ccxt.base.errors import NetworkError

from millrace_core.actions import ORDER_BOOK
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.recording.book_recorder import BookRecorder, FollowedBook
from millrace_exchange.ccxt.recording.recorded_exchange import connection
from millrace_exchange.ccxt.subscriptions import can_unsubscribe, subscribed
from millrace_exchange.errors import ExchangeError
from millrace_exchange.listeners import BookListener

_RETRY_S: Final = 1.0
"""How soon to ask for another snapshot after one could not be had or used."""
_marks: Final = count(1)


async def follow_book(caller: CcxtCaller, symbol: str, listener: BookListener, limit: int | None) -> None:
    """Call a listener with the whole book, and then for every change of it, until cancelled.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke.
    """
    if caller.profile.book.fetches_snapshot:
        async with subscribed(caller, ORDER_BOOK, symbol, keeps=lambda: _books(caller).is_incomplete(symbol)):
            await _follow(caller, symbol, listener, limit)
        return
    _cut_incomplete(caller, symbol)
    with _own_connection(caller, symbol):
        try:
            async with subscribed(caller, ORDER_BOOK, symbol):
                await _follow(caller, symbol, listener, limit)
        finally:
            _cut_incomplete(caller, symbol)


async def _follow(caller: CcxtCaller, symbol: str, listener: BookListener, limit: int | None) -> None:
    books = _books(caller)
    followed = books.add(symbol, listener, limit)
    if books.take_incomplete(symbol) is not None:
        _begin_anew(caller, symbol)
    books.repeat(symbol)
    extending = asyncio.create_task(_extend(caller, symbol, followed))
    try:
        await caller.follow(ORDER_BOOK.name, caller.ccxt.watch_order_book, symbol, limit)
    except ExchangeError:
        # Some of ccxt's exchanges would take the next snapshot for changes of the book that was.
        _begin_anew(caller, symbol)
        raise
    finally:
        extending.cancel()
        books.remove(symbol, followed)


def _books(caller: CcxtCaller) -> BookRecorder:
    books: BookRecorder = caller.ccxt.recorder.books
    return books


def _begin_anew(caller: CcxtCaller, symbol: str) -> None:
    """Have ccxt forget a book, so that it asks for a snapshot with the next frame."""
    orderbooks = caller.ccxt.orderbooks
    if orderbooks.pop(symbol, None) is not None and caller.profile.book.fetches_snapshot:
        # An answer that is on its way is for the book that was, and must not be taken for the one of now.
        orderbooks[symbol] = caller.ccxt.order_book()


@contextmanager
def _own_connection(caller: CcxtCaller, symbol: str) -> Iterator[None]:
    """Open a connection for one book alone where ccxt cannot end a subscription: then the connection is what ends.

    The exchange sends no second snapshot over a connection that has a subscription already.
    """
    if can_unsubscribe(caller, ORDER_BOOK):
        yield
        return
    mark = f"#{next(_marks)}"
    token = connection.set(mark)
    try:
        yield
    finally:
        connection.reset(token)
        caller.ccxt.orderbooks.pop(symbol, None)
        for client in [client for url, client in caller.ccxt.clients.items() if url.endswith(mark)]:
            client.on_error(NetworkError("the stream of the order book has ended"))


def _cut_incomplete(caller: CcxtCaller, symbol: str) -> None:
    """Cut the connection of an incomplete book whose subscription could not be ended, so that it is not continued."""
    ccxt = caller.ccxt
    client = ccxt.recorder.books.take_incomplete(symbol)
    if client is not None and ccxt.orderbooks.pop(symbol, None) is not None:
        # Without a new subscription there is no new book.
        client.on_error(NetworkError("an order book misses updates and its subscription cannot be ended: reconnecting"))


async def _extend(caller: CcxtCaller, symbol: str, followed: FollowedBook) -> None:
    """Ask for another snapshot whenever the price comes near the edge of what is known."""
    books = _books(caller)
    while followed.depth is not None:
        await followed.is_due.wait()
        if await _extended(caller, books, symbol, followed.depth.asked):
            followed.is_due.clear()
        else:
            await asyncio.sleep(_RETRY_S)


async def _extended(caller: CcxtCaller, books: BookRecorder, symbol: str, levels: int) -> bool:
    try:
        snapshot: Any = await caller.call("fetchOrderBook", caller.ccxt.fetch_rest_order_book_safe, symbol, levels)
    except ExchangeError:
        return False
    return books.extend(symbol, snapshot)
