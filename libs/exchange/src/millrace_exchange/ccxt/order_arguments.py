"""Arguments of ccxt's order methods for a request. Pure.

Amounts and prices are handed over as `Digits`, parameters as text: ccxt never sees a float of an order.
"""

from decimal import Decimal
from math import isfinite
from typing import Any, Final, NamedTuple

from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange.ccxt.recording.digits import Digits
from millrace_exchange.errors import Rejected
from millrace_exchange.profile import ExchangeProfile

_LARGEST: Final = 2**63 - 1


class OrderArguments(NamedTuple):
    """The arguments of ccxt's `create_order`, in its order."""

    symbol: str
    type: str
    side: str
    amount: Digits | None
    price: Digits | None
    params: dict[str, Any]


def create_arguments(
    profile: ExchangeProfile, payload: CreatePayload, client_order_id: str, *, is_spot: bool
) -> OrderArguments:
    """Return the arguments that place an order.

    A market order's price is only what its sender expects: given to ccxt, it would turn the amount into a cost.

    Raises:
        Rejected: the exchange's profile does not know how to place such an order, or `params` may change it.
    """
    params = further_params(profile, "createOrder", payload)
    if payload.trigger_price is not None and not profile.trigger_orders:
        raise _rejected(profile, "createOrder", "$.payload.triggerPrice: trigger orders are not supported here yet")
    post_only_type = profile.post_only_type if payload.only_makes and is_spot else None
    if payload.trigger_price is not None and post_only_type is not None:
        raise _rejected(profile, "createOrder", "$.payload.postOnly: not possible with a triggerPrice here")
    if payload.amount_quote is not None and payload.side not in profile.quote_amounts:
        reason = f"$.payload.amountQuote: a {payload.side} is sized by amountBase here"
        raise _rejected(profile, "createOrder", reason)
    terms: dict[str, Any] = profile.client_order_ids.params(client_order_id)
    if payload.time_in_force not in (None, "PO") and not (payload.post_only and payload.time_in_force == "GTC"):
        # Beside post-only it says nothing; Hyperliquid would be sent it in the place of post-only, Binance refuses it.
        # "PO" is ccxt's word for post-only, which it would send to some as it stands.
        terms["timeInForce"] = payload.time_in_force
    if payload.only_makes and post_only_type is None:
        terms["postOnly"] = True
    if payload.reduce_only:
        terms["reduceOnly"] = True
    if payload.trigger_price is not None:
        terms["triggerPrice"] = str(Digits(payload.trigger_price))
    if payload.amount_quote is not None:
        terms["cost"] = str(Digits(payload.amount_quote))
    if is_spot and payload.type == "market":
        terms |= profile.spot_units.get("base" if payload.amount_quote is None else "quote", {})
    return OrderArguments(
        symbol=payload.symbol,
        type=post_only_type or payload.type,
        side=payload.side,
        amount=digits(payload.amount_base if payload.amount_base is not None else payload.amount_quote),
        price=digits(payload.price) if payload.type == "limit" else None,
        params=_named(profile, params | terms),
    )


def edit_params(profile: ExchangeProfile, payload: EditPayload, client_order_id: str) -> dict[str, Any]:
    """Return the parameters of a change; where the exchange replaces the order, the new one carries the id.

    Raises:
        Rejected: trigger prices cannot be changed there, or `params` may change the order.
    """
    params = further_params(profile, "editOrder", payload)
    if payload.trigger_price is not None and not profile.trigger_orders:
        raise _rejected(profile, "editOrder", "$.payload.triggerPrice: trigger orders are not supported here yet")
    if profile.edit_client_order_id == "new":
        # Elsewhere it would name the order to be changed, or nothing.
        params |= profile.client_order_ids.params(client_order_id)
    if payload.trigger_price is not None:
        params["triggerPrice"] = str(Digits(payload.trigger_price))
    return _named(profile, params)


def _named(profile: ExchangeProfile, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters by the exchange's own names, where ccxt would send those and its own."""
    return {profile.order_parameters.get(name, name): value for name, value in params.items()}


def further_params(
    profile: ExchangeProfile, action: str, payload: CreatePayload | EditPayload | CancelPayload | CancelAllPayload
) -> dict[str, Any]:
    """Return the request's own `params`, which ccxt lays over what it sends; numbers as their plain digits.

    Only what the profile calls free passes: anything else may place another order than was checked.

    Raises:
        Rejected: a parameter is not free, or has two names, or its value is no text, number or truth value.
    """
    own_names: dict[str, str] = {}
    for name, value in payload.params.items():
        if name not in profile.free_parameters:
            known = ", ".join(sorted(profile.free_parameters)) or "none"
            raise _rejected(profile, action, f"$.payload.params.{name} is not allowed; allowed: {known}")
        if not _is_plain(value):
            reason = f"$.payload.params.{name} must be a text, a finite number, true or false"
            raise _rejected(profile, action, reason)
        other = own_names.setdefault(profile.order_parameters.get(name, name), name)
        if other != name:
            raise _rejected(profile, action, f"$.payload.params.{name} says the same as {other}: leave one out")
    return {name: _text(value) if type(value) is float else value for name, value in payload.params.items()}


def _is_plain(value: object) -> bool:
    if type(value) is float:
        return isfinite(value)
    return isinstance(value, str | bool) or (type(value) is int and abs(value) <= _LARGEST)


def _text(value: float) -> str:
    return str(Digits(repr(value)))


def _rejected(profile: ExchangeProfile, action: str, reason: str) -> Rejected:
    return Rejected(f"{profile.exchange}: {reason}", exchange=profile.exchange, action=action, kind="BadRequest")


def digits(number: Decimal | None) -> Digits | None:
    """Return a number in the form that ccxt is handed; None stays None."""
    return None if number is None else Digits(number)
