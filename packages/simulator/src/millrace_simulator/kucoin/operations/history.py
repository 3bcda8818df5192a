"""Which orders and fills a query asks for: of which symbols, from when, and of which kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.operations import forms
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order, OrderRef, OwnTrade
from millrace_simulator.venue.errors import UnknownOrder

WEEK_MS = 7 * 86_400_000
ALL = 10**9
"""More rows than there are."""

Row = TypeVar("Row")


def read_window(exchange: Exchange, parameters: Parameters) -> tuple[int, int]:
    """Return `startAt` and `endAt`, both included, in µs; one that was not sent lies a week from the other.

    Raises:
        KucoinError: they lie more than a week apart.
    """
    start_ms, end_ms = parameters.integer("startAt"), parameters.integer("endAt")
    if end_ms is None:
        end_ms = exchange.now_ms() if start_ms is None else start_ms + WEEK_MS
    if start_ms is None:
        start_ms = end_ms - WEEK_MS
    if end_ms - start_ms > WEEK_MS:
        raise errors.bad_parameter("The time range of startAt and endAt can not exceed 7 days")
    return start_ms * 1000, end_ms * 1000 + 999


def open_orders(exchange: Exchange, account: Account, parameters: Parameters, *, waiting: bool = False) -> list[Order]:
    """Return the open orders, newest first: those that work, or the stop orders that wait."""
    symbols = {each.symbol for each in exchange.instruments(parameters)}
    fits = _filter(parameters)
    found = [order for order in exchange.venue.open_orders(account) if order.symbol in symbols and fits(order)]
    return [order for order in reversed(found) if forms.is_waiting(order) is waiting]


def done_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[Order]:
    """Return the orders that ended within the window, the latest first."""
    start_us, end_us = read_window(exchange, parameters)
    fits = _filter(parameters)
    found = [
        order
        for each in exchange.instruments(parameters)
        for order in exchange.venue.all_orders(account, each.symbol, limit=ALL)
        if not order.status.is_open and start_us <= order.updated_us <= end_us and fits(order)
    ]
    return sorted(found, key=lambda order: (order.updated_us, order.order_id), reverse=True)


def fills(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fills of the order that `orderId` names, else those within the window, the latest first.

    Of an order that there is not, there are none.

    `id` is the number by which pages of one symbol go on.
    """
    found = _fills_of_order if parameters.text("orderId") is not None else _fills_in_window
    trades = found(exchange, account, parameters)
    side, kind = parameters.text("side"), parameters.text("type")
    latest = sorted(trades, key=lambda trade: (trade.time_us, trade.trade_id), reverse=True)
    shown = (_show_fill(exchange, account, trade) for trade in latest)
    return [fill for fill in shown if side in (None, fill["side"]) and kind in (None, fill["type"])]


def _fills_of_order(exchange: Exchange, account: Account, parameters: Parameters) -> list[OwnTrade]:
    try:
        order = named_order(exchange, account, parameters)
    except KucoinError:
        return []
    return list(exchange.venue.own_trades(account, order.symbol, order_id=order.order_id, limit=ALL))


def _fills_in_window(exchange: Exchange, account: Account, parameters: Parameters) -> list[OwnTrade]:
    start_us, end_us = read_window(exchange, parameters)
    return [
        trade
        for each in exchange.instruments(parameters)
        for trade in exchange.venue.own_trades(account, each.symbol, start_us=start_us, end_us=end_us, limit=ALL)
    ]


def _show_fill(exchange: Exchange, account: Account, trade: OwnTrade) -> dict[str, Any]:
    try:
        kind = forms.kind(exchange.venue.order(account, trade.symbol, OrderRef(trade.order_id)))
    except UnknownOrder:
        # After a new start, a fill may be kept longer than its order.
        kind = "limit"
    number = 2 * trade.trade_id + trade.is_maker
    return {"id": number, **forms.fill(trade, kind, _counter_order_id(exchange, trade))}


def _counter_order_id(exchange: Exchange, trade: OwnTrade) -> str:
    """Return the id of the order that it traded with; empty when the public trade is no longer kept."""
    for public in exchange.venue.instrument(trade.symbol).tape.since(trade.trade_id, 1):
        if public.trade_id == trade.trade_id:
            sides = {public.buyer_order_id, public.seller_order_id} - {trade.order_id}
            return order_id_text(trade.symbol, sides.pop())
    return ""


def _filter(parameters: Parameters) -> Callable[[Order], bool]:
    side, kind = parameters.text("side"), parameters.text("type")
    return lambda order: side in (None, order.side.lower()) and kind in (None, forms.kind(order))
