"""Cancel-replace: cancel an order and place another in one request.

Both halves may fail by themselves: -2021 tells that one did, -2022 that both did or that the second was not
attempted; the error's data says what became of each. Source: Binance's rest-api.md, "Cancel an Existing Order and
Send a New Order".
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.exchange import AccountOperation, Exchange
from millrace_simulator.binance.operations import cancellations, order_forms
from millrace_simulator.binance.operations.order_request import ORDER_NEEDS, ORDER_TAKES, read_order
from millrace_simulator.binance.operations.trading import (
    read_order_ref,
    read_response_type,
    read_restriction,
)
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters
from millrace_simulator.binance.rejections import rejection
from millrace_simulator.venue import (
    Account,
    CancelReplacement,
    CancelReplaceMode,
    OrderRequest,
    VenueError,
    cancel_replace,
)
from millrace_simulator.venue.errors import RuleBroken


def replace_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel an order and place another on the same symbol."""
    request = read_order(parameters, exchange.instrument(parameters))
    mode = _read_mode(parameters)
    # CANCEL_ONLY, which cancels beyond the limit of new orders too, is not served.
    parameters.choice("orderRateLimitExceededMode", ("DO_NOTHING",))
    ref = read_order_ref(parameters, "cancelOrderId", "cancelOrigClientOrderId")
    new_id = parameters.text("cancelNewClientOrderId", CLIENT_ORDER_ID)
    response_type = read_response_type(parameters, request.type)
    restriction = read_restriction(parameters)
    _check_filters(exchange, account, request)
    replacement = cancel_replace(
        exchange.venue, account, ref, request, mode, cancel_client_order_id=new_id, restriction=restriction
    )
    return _answer(exchange, account, replacement, response_type)


def _read_mode(parameters: Parameters) -> CancelReplaceMode:
    parameters.required("cancelReplaceMode")
    value = parameters.choice("cancelReplaceMode", CancelReplaceMode.__members__)
    return CancelReplaceMode(value or "")


def _check_filters(exchange: Exchange, account: Account, request: OrderRequest) -> None:
    """Reject the whole request for a broken filter: filters are evaluated before anything is canceled."""
    try:
        exchange.venue.check(account, request)
    except RuleBroken as broken:
        raise rejection(broken) from broken
    except VenueError:
        # Whatever else stands in its way, a balance or an id in use, the cancellation may clear.
        return


def _answer(exchange: Exchange, account: Account, replacement: CancelReplacement, response_type: str) -> dict[str, Any]:
    canceled, placed = replacement.canceled, replacement.placed
    data: dict[str, Any] = {
        "cancelResult": "FAILURE" if isinstance(canceled, VenueError) else "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": (
            rejection(canceled).payload()
            if isinstance(canceled, VenueError)
            else cancellations.shown(exchange, account, canceled)
        ),
    }
    if placed is None:
        data |= {"newOrderResult": "NOT_ATTEMPTED", "newOrderResponse": None}
    elif isinstance(placed, VenueError):
        data |= {"newOrderResult": "FAILURE", "newOrderResponse": rejection(placed).payload()}
    else:
        data["newOrderResponse"] = order_forms.placed(placed, response_type)
    results = (data["cancelResult"], data["newOrderResult"])
    if results == ("SUCCESS", "SUCCESS"):
        return data
    if "SUCCESS" in results:
        raise BinanceError(-2021, "Order cancel-replace partially failed.", HTTPStatus.CONFLICT, data)
    raise BinanceError(-2022, "Order cancel-replace failed.", HTTPStatus.BAD_REQUEST, data)


CANCEL_REPLACE = AccountOperation(
    replace_order,
    weight=1,
    orders=1,
    needs=(*ORDER_NEEDS, "cancelReplaceMode"),
    takes=(
        *ORDER_TAKES,
        "cancelNewClientOrderId",
        "cancelOrigClientOrderId",
        "cancelOrderId",
        "orderRateLimitExceededMode",
        "cancelRestrictions",
    ),
)
