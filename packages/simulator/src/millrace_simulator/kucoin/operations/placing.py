"""Placing orders, one or several, and replacing one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from millrace_matching import OrderType
from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.operations import forms
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.operations.order_request import read_order
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.kucoin.rejections import rejection
from millrace_simulator.venue import Account, Order, OrderRef, OrderRequest, VenueError

MOST_AT_ONCE = 20
MOST_CLASSIC = 5


def place(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place an order; it has met whatever it could when this returns."""
    return _ids(_place(exchange, account, parameters))


def place_synchronously(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place an order and return what became of it at once."""
    order = _place(exchange, account, parameters)
    times = {"orderTime": order.created_us // 1000, "matchTime": order.updated_us // 1000}
    return {**_ids(order), **times, **forms.synchronous(order)}


def try_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Check an order as if it were placed, and change nothing."""
    request = read_order(parameters, exchange.instrument(parameters))
    exchange.venue.check(account, request)
    return {"orderId": order_id_text(request.symbol, 0), "clientOid": request.client_order_id}


def place_several(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Place up to twenty orders; one that is refused leaves the others alone."""
    return [_attempt(exchange, account, each, place) for each in _several(parameters)]


def place_several_synchronously(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Place up to twenty orders and return what became of each at once."""
    return [_attempt(exchange, account, each, place_synchronously) for each in _several(parameters)]


def place_several_classic(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place up to five orders; one that is refused leaves the others alone."""
    orders = _several(parameters, MOST_CLASSIC)
    return {"data": [_attempt(exchange, account, each, _place_classic) for each in orders]}


def alter(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel an order and place one with another price or size, which counts what was filled already.

    When that much is filled, no order is placed.
    """
    order = named_order(exchange, account, parameters)
    if not order.status.is_open or not order.type.has_price or forms.is_waiting(order):
        raise errors.cannot_cancel()
    size, price = parameters.decimal("newSize"), parameters.decimal("newPrice")
    if size is None and price is None:
        raise errors.missing("newPrice")
    request = _altered(order, size or order.quantity, price or order.price)
    exchange.venue.cancel(account, order.symbol, OrderRef(order.order_id))
    if request.quantity is None or request.quantity <= 0:
        return {"newOrderId": None, "clientOid": order.client_order_id}
    placed = exchange.venue.place(account, request).order
    exchange.altered[placed.symbol, placed.order_id] = order.order_id
    return {"newOrderId": order_id_text(placed.symbol, placed.order_id), "clientOid": placed.client_order_id}


def _place(exchange: Exchange, account: Account, parameters: Parameters) -> Order:
    _check_time(exchange, parameters)
    request = read_order(parameters, exchange.instrument(parameters))
    return exchange.venue.place(account, request).order


def _check_time(exchange: Exchange, parameters: Parameters) -> None:
    sent_ms, window_ms = parameters.integer("clientTimestamp"), parameters.integer("allowMaxTimeWindow")
    if sent_ms is not None and window_ms is not None and sent_ms + window_ms < exchange.now_ms():
        raise errors.refused("The order came later than allowMaxTimeWindow.")


def _ids(order: Order) -> dict[str, Any]:
    return {"orderId": order_id_text(order.symbol, order.order_id), "clientOid": order.client_order_id}


def _several(parameters: Parameters, most: int = MOST_AT_ONCE) -> list[Parameters]:
    orders = parameters.parts("orderList")
    if len(orders) > most:
        raise errors.bad_parameter(f"orderList holds more than {most} orders")
    return orders


def _place_classic(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    order = _place(exchange, account, parameters)
    return {**forms.classic_order(order, exchange.venue.instrument(order.symbol).rules.quote), "status": "success"}


_Placing = Callable[[Exchange, Account, Parameters], dict[str, Any]]


def _attempt(exchange: Exchange, account: Account, parameters: Parameters, run: _Placing) -> dict[str, Any]:
    try:
        return {**run(exchange, account, parameters), "success": True}
    except KucoinError as refusal:
        return {"success": False, "failMsg": refusal.message}
    except VenueError as refusal:
        return {"success": False, "failMsg": rejection(refusal).message}


def _altered(order: Order, size: Decimal, price: Decimal) -> OrderRequest:
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT_MAKER if order.type is OrderType.LIMIT_MAKER else OrderType.LIMIT,
        quantity=size - order.filled,
        price=price,
        time_in_force=order.time_in_force,
        client_order_id=order.client_order_id,
        self_trade_prevention=order.self_trade_prevention,
        hidden=order.hidden,
        lifetime_s=order.lifetime_s,
        remark=order.remark,
        tags=order.tags,
    )


PLACE = AccountOperation(place, weight=1)
PLACE_SYNC = AccountOperation(place_synchronously, weight=1)
TEST = AccountOperation(try_order, weight=1)
PLACE_SEVERAL = AccountOperation(place_several, weight=1)
PLACE_SEVERAL_SYNC = AccountOperation(place_several_synchronously, weight=1)
ALTER = AccountOperation(alter, weight=1)
CLASSIC_PLACE = AccountOperation(place, weight=2)
CLASSIC_SEVERAL = AccountOperation(place_several_classic, weight=3)
CLASSIC_TEST = AccountOperation(try_order, weight=2)
