"""Order lists: placing, canceling, querying. Source: Binance's rest-api.md, "Order lists".

A pair is entered with its stop order first, as Binance does; then the orders of a list have the ids that it gives them.
"""

from __future__ import annotations

from typing import Any

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import AccountOperation, Exchange
from millrace_simulator.binance.operations import cancellations, list_forms
from millrace_simulator.binance.operations.account import MOST_ROWS, read_day
from millrace_simulator.binance.operations.list_request import (
    OCO_NEEDS,
    OCO_TAKES,
    OLD_OCO_NEEDS,
    OLD_OCO_TAKES,
    OTO_NEEDS,
    OTO_TAKES,
    OTOCO_NEEDS,
    OTOCO_TAKES,
    read_oco,
    read_old_oco,
    read_oto,
    read_otoco,
)
from millrace_simulator.binance.operations.trading import RESPONSE_TYPES
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters
from millrace_simulator.binance.rejections import refusals
from millrace_simulator.venue import Account
from millrace_simulator.venue.errors import UnknownOrderList
from millrace_simulator.venue.order_lists import ListRef, ListRequest


def place_oco(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place a pair of which one order ends the other."""
    return _place(exchange, account, parameters, read_oco(parameters, exchange.instrument(parameters)))


def place_old_oco(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place a pair by the older names of its parameters."""
    return _place(exchange, account, parameters, read_old_oco(parameters, exchange.instrument(parameters)))


def place_oto(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place an order that brings another one into the book once it is filled."""
    return _place(exchange, account, parameters, read_oto(parameters, exchange.instrument(parameters)))


def place_otoco(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place an order that brings a pair into the book once it is filled."""
    return _place(exchange, account, parameters, read_otoco(parameters, exchange.instrument(parameters)))


def cancel_list(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel the open orders of a list."""
    instrument = exchange.instrument(parameters)
    ref = _read_ref(parameters, "orderListId", "listClientOrderId")
    new_id = parameters.text("newClientOrderId", CLIENT_ORDER_ID)
    with refusals():
        canceled = exchange.venue.cancel_list(account, instrument.symbol, ref, cancel_client_order_id=new_id)
    return cancellations.shown(exchange, account, canceled)


def query_list(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one order list."""
    ref = _read_ref(parameters, "orderListId", "origClientOrderId")
    try:
        return list_forms.shown(exchange.venue.order_list(account, ref))
    except UnknownOrderList:
        raise errors.no_such_order() from None


def all_lists(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return order lists, oldest first: from an id or time on, else the newest."""
    from_id = parameters.integer("fromId")
    start_us, end_us = read_day(parameters)
    if from_id is not None and (start_us is not None or end_us is not None):
        raise errors.bad_combination()
    fitting = [
        each
        for each in exchange.venue.order_lists(account)
        if each.list_id >= (from_id or 0) and (start_us or 0) <= each.updated_us <= (end_us or each.updated_us)
    ]
    limit = parameters.limit(500, MOST_ROWS)
    oldest = from_id is not None or start_us is not None
    return [list_forms.shown(each) for each in (fitting[:limit] if oldest else fitting[-limit:])]


def open_lists(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the order lists of which an order is open, oldest first."""
    return [list_forms.shown(each) for each in exchange.venue.order_lists(account) if each.is_open]


def _place(exchange: Exchange, account: Account, parameters: Parameters, request: ListRequest) -> dict[str, Any]:
    response_type = parameters.choice("newOrderRespType", RESPONSE_TYPES) or "RESULT"
    with refusals():
        placement = exchange.venue.place_list(account, request)
    return list_forms.placed(placement, response_type)


def _read_ref(parameters: Parameters, id_name: str, client_id_name: str) -> ListRef:
    list_id, client_id = parameters.integer(id_name), parameters.text(client_id_name, CLIENT_ORDER_ID)
    if list_id is None and client_id is None:
        raise errors.one_of(client_id_name, id_name)
    return ListRef(list_id, client_id)


PLACE_OCO = AccountOperation(place_oco, orders=2, needs=OCO_NEEDS, takes=OCO_TAKES)
PLACE_OLD_OCO = AccountOperation(place_old_oco, orders=2, needs=OLD_OCO_NEEDS, takes=OLD_OCO_TAKES)
PLACE_OTO = AccountOperation(place_oto, orders=2, needs=OTO_NEEDS, takes=OTO_TAKES)
PLACE_OTOCO = AccountOperation(place_otoco, orders=3, needs=OTOCO_NEEDS, takes=OTOCO_TAKES)
CANCEL_LIST = AccountOperation(
    cancel_list, needs=("symbol",), takes=("orderListId", "listClientOrderId", "newClientOrderId")
)
QUERY_LIST = AccountOperation(query_list, weight=4, takes=("orderListId", "origClientOrderId"))
ALL_LISTS = AccountOperation(all_lists, weight=20, takes=("fromId", "startTime", "endTime", "limit"))
OPEN_LISTS = AccountOperation(open_lists, weight=6)
