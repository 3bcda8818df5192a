"""Streams that an exchange does not send: it is asked again and again, and its answers are delivered as if it had."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import methodcaller
from typing import Any, Final, NoReturn

from millrace_core.actions import (
    BALANCE,
    BIDS_ASKS,
    CANDLES,
    FUNDING_RATE,
    LIQUIDATIONS,
    MARK_PRICE,
    MY_TRADES,
    OPEN_INTEREST,
    ORDER_BOOK,
    ORDERS,
    POSITIONS,
    TICKER,
    TRADES,
    StreamAction,
)
from millrace_core.clock import now_ns
from millrace_core.market import Liquidation
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import CheckedAnswer
from millrace_exchange.ccxt.conversion import liquidation_of, sides_of, ticker_of, trade_of
from millrace_exchange.ccxt.open_orders import OpenOrders
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import IncompleteList
from millrace_exchange.listeners import EventTimes, ExchangeListener
from millrace_exchange.profile import BookRules, ExchangeProfile

_CANDLES_ASKED: Final = 2
"""The one that is open and the one before, which ended between two questions."""
QUESTIONS: Final = {
    ORDER_BOOK: "fetch_order_book",
    TRADES: "fetch_trades",
    TICKER: "fetch_ticker",
    BIDS_ASKS: "fetch_bids_asks",
    MARK_PRICE: "fetch_mark_price",
    FUNDING_RATE: "fetch_funding_rate",
    OPEN_INTEREST: "fetch_open_interest",
    CANDLES: "fetch_ohlcv",
    ORDERS: "fetch_open_orders",
    MY_TRADES: "fetch_my_trades",
    BALANCE: "fetch_balance",
    POSITIONS: "fetch_positions",
    LIQUIDATIONS: "fetch_liquidations",
}
"""ccxt's method that answers what each action streams."""
_NEVER_STREAMED: Final = (MARK_PRICE, OPEN_INTEREST)
"""ccxt keeps mark prices among its tickers, where nothing tells the two apart."""


def is_polled(ccxt: Any, action: StreamAction) -> bool:
    """Tell whether a stream has to be asked for."""
    return action in _NEVER_STREAMED or not ccxt.has.get(action.name)


def profile_as_asked(ccxt: Any, profile: ExchangeProfile) -> ExchangeProfile:
    """Return an exchange's profile; of books that have to be asked for, each answer is a whole one."""
    return replace(profile, book=BookRules(whole_frames=True)) if is_polled(ccxt, ORDER_BOOK) else profile


async def poll(
    caller: CcxtCaller, action: StreamAction, symbol: str | None, listener: ExchangeListener, *arguments: Any
) -> NoReturn:
    """Ask for what a stream would bring and call its listener with each answer, until cancelled.

    `arguments` follow the symbol: of candles the timeframe, of an order book the depth. An answer about orders names
    those that are open: which have ended is for the listener to ask.

    Raises:
        Retryable, Rejected, Fatal: a question failed.
    """
    name = action.name.replace("watch", "fetch")
    ask = getattr(caller.ccxt, QUESTIONS[action])
    asked = [[symbol]] if action is BIDS_ASKS else [] if symbol is None else [symbol]
    if action is CANDLES:
        arguments = (*arguments, None, _CANDLES_ASKED)
    while True:
        if action is ORDERS:
            await _deliver_open_orders(caller, symbol, listener)
        else:
            sending = Sending()
            read = partial(_read, action, symbol, CheckedAnswer(caller.profile, name, sending))
            deliver = await caller.call(name, ask, *asked, *arguments, timed=sending, read=read)
            deliver(listener)
        await asyncio.sleep(caller.poll_interval_s)


async def _deliver_open_orders(caller: CcxtCaller, symbol: str | None, listener: ExchangeListener) -> None:
    try:
        orders = await OpenOrders(caller).fetch(symbol)
    except IncompleteList as cut:
        orders = cut.rows
    listener.orders_changed(orders, EventTimes(None, now_ns()))


def _read(action: StreamAction, symbol: str | None, checked: CheckedAnswer, answer: Any) -> Callable[[Any], None]:
    """Return what tells a listener what an answer says."""
    event = EventTimes(answer.get("timestamp") if isinstance(answer, dict) else None, now_ns())
    if action is ORDER_BOOK:
        return methodcaller("book_reset", *sides_of(answer), answer.get("nonce"), event)
    if action in _LISTENED:
        method, read = _LISTENED[action]
        return methodcaller(method, read(answer, symbol, checked), event)
    return methodcaller("fields_changed", fields_of(answer, symbol), event)


def _liquidations_of(answer: Any) -> list[Liquidation]:
    return sorted(map(liquidation_of, answer), key=lambda one: one.timestamp or 0)


_LISTENED: Final[dict[StreamAction, tuple[str, Callable[[Any, str | None, CheckedAnswer], Any]]]] = {
    TRADES: ("traded", lambda answer, _symbol, _checked: [trade_of(trade) for trade in answer]),
    MY_TRADES: ("traded", lambda answer, symbol, checked: checked.trades(answer, symbol)),
    CANDLES: ("candles_changed", lambda answer, _symbol, _checked: [tuple(row) for row in answer]),
    BALANCE: ("balance_changed", lambda answer, _symbol, checked: checked.balances(answer)),
    LIQUIDATIONS: ("liquidated", lambda answer, _symbol, _checked: _liquidations_of(answer)),
    POSITIONS: ("positions_changed", lambda answer, _symbol, checked: checked.positions(answer)),
}
"""A listener's method for each action, and what it takes."""


def fields_of(answer: Any, symbol: str | None) -> dict[str, Any]:
    """Return the fields of a symbol's object; some exchanges answer with a map by symbol."""
    return ticker_of(answer.get(symbol, answer))
