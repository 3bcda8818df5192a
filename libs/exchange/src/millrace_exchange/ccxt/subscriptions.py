"""Subscriptions of ccxt: the methods that make and end them."""

import asyncio
import contextlib
from typing import Final

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
from millrace_exchange.ccxt.caller import CcxtCaller
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


def can_unsubscribe(caller: CcxtCaller, action: StreamAction) -> bool:
    """Tell whether ccxt can end the subscription of one symbol; an account's serves all symbols, and stays."""
    return not action.is_private and bool(caller.ccxt.has.get(action.name.replace("watch", "unWatch")))


async def unsubscribe(caller: CcxtCaller, action: StreamAction, *arguments: str) -> None:
    """End a subscription; an exchange that does not answer is not waited for."""
    if not can_unsubscribe(caller, action) or caller.ccxt.closed_by_user:
        return
    method = getattr(caller.ccxt, f"un_{METHODS[action]}")
    with contextlib.suppress(ExchangeError, TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            await caller.call(action.name, method, *arguments)
