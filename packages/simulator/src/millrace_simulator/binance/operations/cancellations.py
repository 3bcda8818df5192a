"""Responses about canceled orders: alone, or with the list that was canceled with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millrace_simulator.binance.exchange import Exchange
from millrace_simulator.binance.operations import list_forms, order_forms
from millrace_simulator.venue import Account, Cancellation, OrderRef, OrderStatus
from millrace_simulator.venue.order_lists import ListRef
from millrace_simulator.venue.orders import NO_LIST


def shown(exchange: Exchange, account: Account, cancellation: Cancellation) -> dict[str, Any]:
    """Return a canceled order; one of a list as the list, with every order that was canceled."""
    list_id = cancellation.order.list_id
    if list_id == NO_LIST:
        return order_forms.canceled(cancellation)
    order_list = exchange.venue.order_list(account, ListRef(list_id))
    orders = [exchange.venue.order(account, order_list.symbol, OrderRef(order_id)) for order_id in order_list.order_ids]
    return list_forms.canceled(
        order_list,
        [
            Cancellation(order, cancellation.cancel_client_order_id)
            for order in orders
            if order.status is OrderStatus.CANCELED
        ],
    )


def all_shown(exchange: Exchange, account: Account, cancellations: Iterable[Cancellation]) -> list[dict[str, Any]]:
    """Return all that was canceled, each list once."""
    first_of_lists: dict[tuple[int, int], Cancellation] = {}
    for each in cancellations:
        own = each.order.order_id if each.order.list_id == NO_LIST else -1
        first_of_lists.setdefault((each.order.list_id, own), each)
    return [shown(exchange, account, each) for each in first_of_lists.values()]
