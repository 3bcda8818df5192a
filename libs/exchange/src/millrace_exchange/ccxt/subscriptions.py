"""Subscriptions of ccxt: the methods that make and end them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from ccxt.base.errors import NetworkError

from millrace_core.actions import (
    BALANCE,
    BIDS_ASKS,
    CANDLES,
    FUNDING_RATE,
    LIQUIDATIONS,
    MY_TRADES,
    ORDER_BOOK,
    ORDERS,
    POSITIONS,
    TICKER,
    TRADES,
    StreamAction,
)
from millrace_core.clock import NS_PER_MS, now_ns
from millrace_exchange.ccxt.caller import CcxtCaller, was_cancelled
from millrace_exchange.ccxt.recording.recorded_exchange import carriers
from millrace_exchange.errors import ExchangeError

METHODS: Final = {
    ORDER_BOOK: "watch_order_book",
    TRADES: "watch_trades",
    TICKER: "watch_ticker",
    BIDS_ASKS: "watch_bids_asks",
    FUNDING_RATE: "watch_funding_rate",
    CANDLES: "watch_ohlcv",
    ORDERS: "watch_orders",
    MY_TRADES: "watch_my_trades",
    BALANCE: "watch_balance",
    POSITIONS: "watch_positions",
    LIQUIDATIONS: "watch_liquidations",
}
"""ccxt's method that streams each action. Of public ones, `un_` and the same ends the subscription of one symbol; an
account's one subscription serves all symbols, and stays."""
_TIMEOUT_S: Final = 0.5
MUTE_MS: Final = 3_000
"""A connection that has brought neither data nor answers for so long, and leaves the end of a subscription unanswered
too, is cut."""


def can_unsubscribe(caller: CcxtCaller, action: StreamAction) -> bool:
    """Tell whether ccxt can end the subscription of one symbol; an account's serves all symbols, and stays."""
    return not action.is_private and bool(caller.ccxt.has.get(action.name.replace("watch", "unWatch")))


@asynccontextmanager
async def subscribed(
    caller: CcxtCaller, action: StreamAction, *arguments: Any, keeps: Callable[[], bool] = lambda: False
) -> AsyncIterator[None]:
    """Note the connections over which a stream comes; end its subscription where that is wished, unless it `keeps` it.

    A connection that is mute then is cut: a new subscription over it would be as silent as the one that ends.
    """
    used = caller.account_connections if action.is_private else set[Any]()
    token = carriers.set(used)
    try:
        yield
    finally:
        carriers.reset(token)
        if was_cancelled():
            if not keeps():
                await _unsubscribe(caller, action, *arguments)
            # An account may rest for ever: there, the silence of a stream that is left says nothing.
            if not action.is_private:
                cut_mute(used, now_ns() - MUTE_MS * NS_PER_MS)


def cut_mute(connections: Iterable[Any], since_ns: int) -> None:
    """Cut those of ccxt's connections that have brought nothing since a time, wall clock."""
    for client in list(connections):
        if not client.closed() and client.received_ns < since_ns:
            client.on_error(NetworkError("the connection answers pings and brings nothing else: reconnecting"))


async def _unsubscribe(caller: CcxtCaller, action: StreamAction, *arguments: Any) -> None:
    """End a subscription; an exchange that does not answer is not waited for."""
    if not can_unsubscribe(caller, action) or caller.ccxt.closed_by_user:
        return
    method = getattr(caller.ccxt, f"un_{METHODS[action]}")
    with contextlib.suppress(ExchangeError, TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            await caller.call(action.name, method, *arguments)
