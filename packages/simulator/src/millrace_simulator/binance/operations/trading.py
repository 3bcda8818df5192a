"""Placing and canceling orders."""

from __future__ import annotations

from typing import Any

from millrace_matching import OrderType
from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.exchange import AccountOperation, Exchange
from millrace_simulator.binance.operations import cancellations, order_forms
from millrace_simulator.binance.operations.order_request import ORDER_NEEDS, ORDER_TAKES, read_order
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters
from millrace_simulator.binance.rejections import refusals
from millrace_simulator.venue import Account, CancelRestriction, OrderRef

RESPONSE_TYPES = ("ACK", "RESULT", "FULL")


def place_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Place an order; it has met whatever it could when this returns."""
    request = read_order(parameters, exchange.instrument(parameters))
    response_type = read_response_type(parameters, request.type)
    with refusals():
        placement = exchange.venue.place(account, request)
    return order_forms.placed(placement, response_type)


def try_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Check an order as if it were placed, and change nothing."""
    instrument = exchange.instrument(parameters)
    request = read_order(parameters, instrument)
    read_response_type(parameters, request.type)
    with refusals():
        exchange.venue.check(account, request)
    if not parameters.boolean("computeCommissionRates", default=False):
        return {}
    rates = order_forms.commission_rates(account)
    del rates["standardCommission"]["buyer"], rates["standardCommission"]["seller"]
    return {
        "standardCommissionForOrder": rates["standardCommission"],
        "specialCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "discount": rates["discount"],
    }


def cancel_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Cancel one open order, and with it the others of its list."""
    instrument = exchange.instrument(parameters)
    ref = read_order_ref(parameters, "orderId", "origClientOrderId")
    new_id = parameters.text("newClientOrderId", CLIENT_ORDER_ID)
    restriction = read_restriction(parameters)
    with refusals():
        cancellation = exchange.venue.cancel(
            account, instrument.symbol, ref, cancel_client_order_id=new_id, restriction=restriction
        )
    return cancellations.shown(exchange, account, cancellation)


def cancel_open_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Cancel every open order on a symbol; -2011 if there is none, as at Binance."""
    instrument = exchange.instrument(parameters)
    with refusals():
        canceled = exchange.venue.cancel_all(account, instrument.symbol)
    return cancellations.all_shown(exchange, account, canceled)


def read_order_ref(parameters: Parameters, id_name: str, client_id_name: str) -> OrderRef:
    """Return the order that the ids name; when both are sent, both must match.

    Raises:
        BinanceError: neither id was sent (-1102).
    """
    order_id = parameters.integer(id_name)
    client_order_id = parameters.text(client_id_name, CLIENT_ORDER_ID)
    if order_id is None and client_order_id is None:
        raise errors.one_of(client_id_name, id_name)
    return OrderRef(order_id, client_order_id)


def read_restriction(parameters: Parameters) -> CancelRestriction | None:
    """Return the only status in which the order may be canceled; None for any."""
    refusal = BinanceError(-1145, "Invalid cancelRestrictions")
    value = parameters.choice("cancelRestrictions", CancelRestriction.__members__, refusal)
    return None if value is None else CancelRestriction(value)


def read_response_type(parameters: Parameters, order_type: OrderType) -> str:
    """Return the requested form of the response; by default FULL for MARKET and LIMIT, else ACK."""
    default = "FULL" if order_type in {OrderType.MARKET, OrderType.LIMIT} else "ACK"
    return parameters.choice("newOrderRespType", RESPONSE_TYPES) or default


def _weight_of_trial(parameters: Parameters) -> int:
    return 20 if parameters.values.get("computeCommissionRates", "").lower() == "true" else 1


PLACE_ORDER = AccountOperation(place_order, weight=1, orders=1, needs=ORDER_NEEDS, takes=ORDER_TAKES)
TEST_ORDER = AccountOperation(
    try_order, weight=_weight_of_trial, needs=ORDER_NEEDS, takes=(*ORDER_TAKES, "computeCommissionRates")
)
CANCEL_ORDER = AccountOperation(
    cancel_order,
    weight=1,
    needs=("symbol",),
    takes=("orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"),
)
CANCEL_OPEN_ORDERS = AccountOperation(cancel_open_orders, weight=1, needs=("symbol",))
