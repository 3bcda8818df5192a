"""Canceling orders: one, all of a symbol, all."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.operations import forms
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order, OrderRef


def cancel_by_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the exchange's id names."""
    return {"orderId": _id(_cancel_on_symbol(exchange, account, parameters))}


def cancel_by_client_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the client's id names."""
    return {"clientOid": _cancel_on_symbol(exchange, account, parameters).client_order_id}


def cancel_by_id_synchronously(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the exchange's id names, and return what became of it."""
    order = _cancel_on_symbol(exchange, account, parameters)
    return {"orderId": _id(order), **forms.synchronous(order)}


def cancel_by_client_id_synchronously(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the client's id names, and return what became of it."""
    order = _cancel_on_symbol(exchange, account, parameters)
    return {"clientOid": order.client_order_id, **forms.synchronous(order)}


def cancel_symbol(exchange: Exchange, account: Account, parameters: Parameters) -> str:
    """Cancel the open orders of a symbol; stop orders that wait are left alone."""
    cancel_all_open(exchange, account, exchange.instrument(parameters).symbol)
    return "success"


def cancel_everything(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the open orders of all symbols; stop orders that wait are left alone."""
    canceled = cancel_all_open(exchange, account)
    return {"succeedSymbols": sorted({order.symbol for order in canceled}), "failedSymbols": []}


def classic_cancel_by_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the exchange's id names."""
    return {"cancelledOrderIds": [_id(_cancel_named(exchange, account, parameters))]}


def classic_cancel_by_client_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the order that the client's id names."""
    order = _cancel_named(exchange, account, parameters)
    return {"cancelledOrderId": _id(order), "clientOid": order.client_order_id, "cancelledOcoOrderIds": None}


def classic_cancel_all(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the open orders of one symbol, or of all; stop orders that wait are left alone."""
    canceled = [
        order
        for instrument in exchange.instruments(parameters)
        for order in cancel_all_open(exchange, account, instrument.symbol)
    ]
    return {"cancelledOrderIds": [_id(order) for order in canceled]}


def cancel_all_open(
    exchange: Exchange, account: Account, symbol: str | None = None, *, waiting: bool = False
) -> list[Order]:
    """Cancel open orders, of one symbol or of all: those that work, or the stop orders that wait."""
    chosen = [order for order in exchange.venue.open_orders(account, symbol) if forms.is_waiting(order) is waiting]
    return [_cancel(exchange, account, order) for order in chosen]


def cancel_named(exchange: Exchange, account: Account, parameters: Parameters, *, waiting: bool) -> Order:
    """Cancel the order that the parameters name, which must work, or wait for its trigger.

    Raises:
        KucoinError: there is none, or it is done.
    """
    try:
        order = named_order(exchange, account, parameters)
    except KucoinError:
        raise errors.cannot_cancel() from None
    if not order.status.is_open or forms.is_waiting(order) is not waiting:
        raise errors.cannot_cancel()
    return _cancel(exchange, account, order)


def _cancel_on_symbol(exchange: Exchange, account: Account, parameters: Parameters) -> Order:
    """Cancel the order that the parameters name; the high-frequency paths want its symbol, too."""
    exchange.instrument(parameters)
    return _cancel_named(exchange, account, parameters)


def _cancel_named(exchange: Exchange, account: Account, parameters: Parameters) -> Order:
    return cancel_named(exchange, account, parameters, waiting=False)


def _cancel(exchange: Exchange, account: Account, order: Order) -> Order:
    return exchange.venue.cancel(account, order.symbol, OrderRef(order.order_id)).order


def _id(order: Order) -> str:
    return order_id_text(order.symbol, order.order_id)


BY_ID = AccountOperation(cancel_by_id, weight=1)
BY_CLIENT_ID = AccountOperation(cancel_by_client_id, weight=1)
BY_ID_SYNC = AccountOperation(cancel_by_id_synchronously, weight=1)
BY_CLIENT_ID_SYNC = AccountOperation(cancel_by_client_id_synchronously, weight=1)
SYMBOL = AccountOperation(cancel_symbol, weight=2)
EVERYTHING = AccountOperation(cancel_everything, weight=30)
CLASSIC_BY_ID = AccountOperation(classic_cancel_by_id, weight=3)
CLASSIC_BY_CLIENT_ID = AccountOperation(classic_cancel_by_client_id, weight=3)
CLASSIC_ALL = AccountOperation(classic_cancel_all, weight=20)
