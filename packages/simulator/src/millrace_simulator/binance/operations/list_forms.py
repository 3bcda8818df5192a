"""Responses about order lists in Binance's format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millrace_simulator.binance.operations import order_forms
from millrace_simulator.binance.times import Time
from millrace_simulator.venue import Cancellation
from millrace_simulator.venue.order_lists import ListPlacement, OrderList


def shown(order_list: OrderList) -> dict[str, Any]:
    """Return a list and the ids of its orders."""
    times = {"listStatusType": order_list.status, "transactionTime": Time(order_list.updated_us)}
    return {**named(order_list), **times}


def named(order_list: OrderList) -> dict[str, Any]:
    """Return a list without what was last reported of it."""
    return {
        "orderListId": order_list.list_id,
        "contingencyType": order_list.contingency,
        "listOrderStatus": order_list.order_status,
        "listClientOrderId": order_list.client_id,
        "symbol": order_list.symbol,
        "orders": [
            {"symbol": order_list.symbol, "orderId": order_id, "clientOrderId": client_id}
            for order_id, client_id in zip(order_list.order_ids, order_list.client_order_ids, strict=True)
        ],
    }


def placed(placement: ListPlacement, response_type: str) -> dict[str, Any]:
    """Return a new list, and each of its orders in the form asked for."""
    reports = [order_forms.placed(each, response_type) for each in placement.placements]
    return {**shown(placement.order_list), "orderReports": reports}


def canceled(order_list: OrderList, cancellations: Iterable[Cancellation]) -> dict[str, Any]:
    """Return a canceled list, and those of its orders that were open."""
    return {**shown(order_list), "orderReports": [order_forms.canceled(each) for each in cancellations]}
