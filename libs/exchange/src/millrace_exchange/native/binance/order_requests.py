"""Requests for orders as Binance wants them. Pure.

Source: rest-api.md, "New order", "Cancel order": which parameters each type of order must have.
"""

from collections.abc import Mapping
from typing import Any, Final

from millrace_exchange.ccxt.order_arguments import OrderArguments
from millrace_exchange.errors import Rejected
from millrace_exchange.profile import ExchangeProfile

_STOPS: Final[Mapping[str, str]] = {"LIMIT": "STOP_LOSS_LIMIT", "MARKET": "STOP_LOSS"}
_CONTRADICTIONS: Final = frozenset({("LIMIT_MAKER", "IOC"), ("LIMIT_MAKER", "FOK")})
_TIMED: Final = frozenset({"LIMIT", "STOP_LOSS_LIMIT"})
_PRICED: Final = _TIMED | {"LIMIT_MAKER"}


def order_request(profile: ExchangeProfile, market: Mapping[str, Any], arguments: OrderArguments) -> dict[str, Any]:
    """Return the request that places an order; its numbers have the digits that were decided.

    Raises:
        Rejected: the market has no orders of this type, or the type does not go with the rest.
    """
    kind, params = _kind(profile, market, arguments), arguments.params
    request: dict[str, Any] = {
        "symbol": market["id"],
        "side": arguments.side.upper(),
        "type": kind,
        "newOrderRespType": "FULL",
        **({"timeInForce": "GTC"} if kind in _TIMED else {}),
        **params,
    }
    if kind in _PRICED:
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


def _kind(profile: ExchangeProfile, market: Mapping[str, Any], arguments: OrderArguments) -> str:
    """Return Binance's type of an order."""
    kind, params = arguments.type.upper(), arguments.params
    if (kind, params.get("timeInForce")) in _CONTRADICTIONS:
        raise _rejected(profile, "an order that only makes is no IOC or FOK order")
    if "stopPrice" in params:
        kind = _STOPS.get(kind, kind)
    if kind not in market["info"]["orderTypes"]:
        raise _rejected(profile, f"{market['symbol']} has no orders of the type {kind}")
    if kind in _PRICED and arguments.price is None:
        raise _rejected(profile, f"an order of the type {kind} needs a price")
    if "quoteOrderQty" in params and kind != "MARKET":
        raise _rejected(profile, f"an order of the type {kind} is sized by amountBase")
    return kind


def _rejected(profile: ExchangeProfile, reason: str) -> Rejected:
    return Rejected(reason, exchange=profile.exchange, action="createOrder", kind="InvalidOrder")
