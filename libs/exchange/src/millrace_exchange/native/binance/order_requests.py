"""Requests for orders as Binance wants them. Pure.

Source: rest-api.md, "New order", "Cancel order": which parameters each type of order must have.
"""

from collections.abc import Mapping
from typing import Any, Final

from ccxt.base.errors import InvalidOrder

from millrace_exchange.ccxt.order_arguments import OrderArguments

_STOPS: Final[Mapping[str, str]] = {"LIMIT": "STOP_LOSS_LIMIT", "MARKET": "STOP_LOSS"}
_TIMED: Final = frozenset({"LIMIT", "STOP_LOSS_LIMIT"})
_PRICED: Final = _TIMED | {"LIMIT_MAKER"}


def order_request(market: Mapping[str, Any], arguments: OrderArguments) -> dict[str, Any]:
    """Return the request that places an order; its numbers have the digits that were decided.

    Raises:
        InvalidOrder: the market has no orders of this type, or the type needs a price that is missing.
    """
    kind, params = _kind(arguments), arguments.params
    if kind not in market["info"]["orderTypes"]:
        raise InvalidOrder(f"{market['symbol']} has no orders of the type {kind}")
    request = {
        "symbol": market["id"],
        "side": arguments.side.upper(),
        "type": kind,
        "newOrderRespType": "FULL",
        **({"timeInForce": "GTC"} if kind in _TIMED else {}),
        **params,
    }
    if params.get("timeInForce") == "PO":
        del request["timeInForce"]
    if kind in _PRICED:
        if arguments.price is None:
            raise InvalidOrder(f"an order of the type {kind} needs a price")
        request["price"] = str(arguments.price)
    if "quoteOrderQty" not in params:
        request["quantity"] = str(arguments.amount)
    return request


def cancel_request(
    market: Mapping[str, Any], order_id: str | None, our_id: str | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request that cancels an order, by the exchange's id or by ours."""
    name, value = ("origClientOrderId", our_id) if order_id is None else ("orderId", order_id)
    return {"symbol": market["id"], name: value, **params}


def _kind(arguments: OrderArguments) -> str:
    kind = arguments.type.upper()
    if arguments.params.get("timeInForce") == "PO":
        if kind == "MARKET":
            raise InvalidOrder("an order at the market's price cannot be one that only makes")
        return "LIMIT_MAKER"
    return _STOPS.get(kind, kind) if "stopPrice" in arguments.params else kind
