"""Orders that wait for a price."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.operations import forms, history
from millrace_simulator.kucoin.operations.canceling import cancel_all_open, cancel_named
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.operations.order_request import read_stop_order
from millrace_simulator.kucoin.operations.paged import page_of
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order


def place(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place a stop order."""
    request = read_stop_order(parameters, exchange.instrument(parameters))
    order = exchange.venue.place(account, request).order
    return {"orderId": order_id_text(order.symbol, order.order_id), "clientOid": order.client_order_id}


def cancel_by_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the stop order that the exchange's id names."""
    return {"cancelledOrderIds": [_id(cancel_named(exchange, account, parameters, waiting=True))]}


def cancel_by_client_id(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the stop order that the client's id names."""
    order = cancel_named(exchange, account, parameters, waiting=True)
    return {"cancelledOrderId": _id(order), "clientOid": order.client_order_id}


def cancel_several(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the stop orders that `orderIds` names, else those of one symbol or of all."""
    ids = parameters.text("orderIds")
    if ids is not None:
        named = [Parameters({"orderId": each}) for each in ids.split(",")]
        canceled = [cancel_named(exchange, account, each, waiting=True) for each in named]
    else:
        canceled = [
            order
            for each in exchange.instruments(parameters)
            for order in cancel_all_open(exchange, account, each.symbol, waiting=True)
        ]
    return {"cancelledOrderIds": [_id(order) for order in canceled]}


def stop_orders(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one page of the stop orders that wait."""
    wanted = (parameters.text("orderIds") or "").split(",")
    found = history.open_orders(exchange, account, parameters, waiting=True)
    shown = [_show(exchange, account, order) for order in found if wanted == [""] or _id(order) in wanted]
    page = page_of(shown, parameters)
    without_pair = dict.fromkeys(("relatedNo", "limitPrice", "pop", "activateCondition"))
    return {**page, "items": [{**row, **without_pair} for row in page["items"]]}


def stop_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the stop order that an id names, waiting or triggered."""
    order = named_order(exchange, account, parameters)
    if order.stop_price is None or not (order.status.is_open or order.is_working):
        raise errors.no_such_order()
    return _show(exchange, account, order)


def stop_orders_by_client_id(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the stop order that the client's id names, in a list."""
    return [stop_order(exchange, account, parameters)]


def _show(exchange: Exchange, account: Account, order: Order) -> dict[str, Any]:
    return forms.stop_order(order, account, exchange.venue.instrument(order.symbol).rules.quote)


def _id(order: Order) -> str:
    return order_id_text(order.symbol, order.order_id)


PLACE = AccountOperation(place, weight=1)
BY_ID = AccountOperation(cancel_by_id, weight=3)
BY_CLIENT_ID = AccountOperation(cancel_by_client_id, weight=5)
SEVERAL = AccountOperation(cancel_several, weight=3)
STOP_ORDERS = AccountOperation(stop_orders, weight=8)
STOP_ORDER = AccountOperation(stop_order, weight=3)
STOP_ORDERS_BY_CLIENT_ID = AccountOperation(stop_orders_by_client_id, weight=3)
