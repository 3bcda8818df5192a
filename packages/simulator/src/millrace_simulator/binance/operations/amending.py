"""Amending an order, which keeps its priority. Source: Binance's faqs/order_amend_keep_priority.md."""

from __future__ import annotations

from typing import Any

from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.exchange import AccountOperation, Exchange
from millrace_simulator.binance.operations import list_forms, order_forms
from millrace_simulator.binance.operations.account import MOST_ROWS
from millrace_simulator.binance.operations.trading import read_order_ref
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters
from millrace_simulator.binance.rejections import rejection
from millrace_simulator.binance.times import Time
from millrace_simulator.venue import Account, VenueError
from millrace_simulator.venue.errors import DuplicateClientOrderId, Rule, RuleBroken, UnknownOrder
from millrace_simulator.venue.order_lists import ListRef
from millrace_simulator.venue.orders import NO_LIST

AMEND_REJECTED = -2038


def amend_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Lower the quantity of an open order."""
    instrument = exchange.instrument(parameters)
    ref = read_order_ref(parameters, "orderId", "origClientOrderId")
    new_id = parameters.text("newClientOrderId", CLIENT_ORDER_ID)
    quantity = parameters.required_decimal("newQty")
    try:
        amended = exchange.venue.amend(account, instrument.symbol, ref, quantity, new_id)
    except VenueError as refusal:
        raise _rejection(refusal) from refusal
    order, change = amended.order, amended.amendment
    answer: dict[str, Any] = {
        "transactTime": Time(change.time_us),
        "executionId": change.execution_id,
        "amendedOrder": order_forms.amended(order, change.former_client_order_id),
    }
    if order.list_id != NO_LIST:
        answer["listStatus"] = list_forms.named(exchange.venue.order_list(account, ListRef(order.list_id)))
    return answer


def order_amendments(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the amendments of an order, oldest first."""
    instrument = exchange.instrument(parameters)
    order_id, from_id = parameters.integer("orderId"), parameters.integer("fromExecutionId")
    try:
        changes = exchange.venue.amendments(account, instrument.symbol, order_id or 0)
    except UnknownOrder:
        raise errors.no_such_order() from None
    fitting = [change for change in changes if change.execution_id >= (from_id or 0)]
    return [order_forms.amendment(change) for change in fitting[: parameters.limit(500, MOST_ROWS)]]


def _rejection(refusal: VenueError) -> BinanceError:
    """Return the answer to an amendment that was refused: -2038 for what the matching engine refuses."""
    too_many = isinstance(refusal, RuleBroken) and refusal.rule is Rule.AMENDMENTS
    if too_many or isinstance(refusal, UnknownOrder | DuplicateClientOrderId):
        return BinanceError(AMEND_REJECTED, rejection(refusal).message)
    return rejection(refusal)


AMEND_ORDER = AccountOperation(
    amend_order, weight=4, needs=("symbol", "newQty"), takes=("orderId", "origClientOrderId", "newClientOrderId")
)
AMENDMENTS = AccountOperation(
    order_amendments, weight=4, needs=("symbol", "orderId"), takes=("fromExecutionId", "limit")
)
