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

_UNIFIED: Final = """
symbol side type amount price cost timeInForce postOnly reduceOnly triggerPrice stopLossPrice takeProfitPrice
clientOrderId id orderId
"""
_NATIVE: Final = """
quantity quoteOrderQty qty size sz funds volume vol base_size quote_size px orderPrice limit_price stopPrice triggerPx
ordType orderType ordertype order_type pair instId product_id force time_in_force timeinforce tif
newClientOrderId origClientOrderId clOrdId clOrdID clientOid client_order_id client-order-id orderLinkId cl_ord_id
userref text cid cloid ordId order_id txid
"""
"""The exchanges' own names of the same."""
_SIGNED: Final = "recvWindow recv_window timestamp nonce signature apiKey deadline expTime"
"""Parameters that sign a request and limit its validity."""

DECIDED: Final = frozenset(f"{_UNIFIED} {_NATIVE} {_SIGNED}".split())
"""Parameters that the request itself decides: if `params` overrode them, the order would not be the checked one."""


class OrderArguments(NamedTuple):
    """The arguments of ccxt's `create_order`, in its order."""

    symbol: str
    type: str
    side: str
    amount: Digits | None
    price: Digits | None
    params: dict[str, Any]


def create_arguments(
    profile: ExchangeProfile, payload: CreatePayload, client_order_id: str, *, market_buy_requires_price: bool
) -> OrderArguments:
    """Return the arguments that place an order.

    A market order's price is only what its sender expects: given to ccxt, it would turn the amount into a cost
    on Binance. Some exchanges take a market buy's cost instead of its amount; there ccxt wants the price for it.

    Raises:
        Rejected: `params` names what the request itself decides, or ccxt would send another order than was asked for.
    """
    params = further_params(profile, "createOrder", payload)
    if payload.amount_quote is not None and payload.side not in profile.quote_amounts:
        raise not_supported(profile, "createOrder", f"amountQuote of a {payload.side}", "use amountBase")
    if payload.trigger_price is not None and not profile.trigger_orders:
        raise not_supported(profile, "createOrder", "triggerPrice", "use another type of order")
    terms: dict[str, Any] = profile.client_order_ids.params(client_order_id)
    post_only = payload.post_only and profile.post_only_type is None
    if payload.time_in_force is not None:
        terms["timeInForce"] = payload.time_in_force
    if post_only:
        terms["postOnly"] = True
    if payload.reduce_only:
        terms["reduceOnly"] = True
    if payload.trigger_price is not None:
        terms["triggerPrice"] = str(Digits(payload.trigger_price))
    if payload.amount_quote is not None:
        terms["cost"] = str(Digits(payload.amount_quote))
    needs_price = payload.type == "limit" or (payload.side == "buy" and market_buy_requires_price)
    return OrderArguments(
        symbol=payload.symbol,
        type=profile.post_only_type if payload.post_only and profile.post_only_type else payload.type,
        side=payload.side,
        amount=digits(payload.amount_base if payload.amount_base is not None else payload.amount_quote),
        price=digits(payload.price) if needs_price else None,
        params=params | {profile.order_parameters.get(name, name): value for name, value in terms.items()},
    )


def edit_params(profile: ExchangeProfile, payload: EditPayload, client_order_id: str) -> dict[str, Any]:
    """Return the parameters of a change; where the exchange replaces the order, the new one carries the id.

    Raises:
        Rejected: `params` names what the request itself decides.
    """
    params = further_params(profile, "editOrder", payload)
    if profile.edit_client_order_id == "new":
        # Elsewhere it would name the order to be changed, or nothing.
        params |= profile.client_order_ids.params(client_order_id)
    if payload.trigger_price is not None:
        params["triggerPrice"] = str(Digits(payload.trigger_price))
    return params


def further_params(
    profile: ExchangeProfile, action: str, payload: CreatePayload | EditPayload | CancelPayload | CancelAllPayload
) -> dict[str, Any]:
    """Return the request's own `params`, which ccxt lays over what it sends.

    Raises:
        Rejected: one names what the request itself decides, or holds what cannot be signed.
    """
    if decided := sorted(payload.params.keys() & DECIDED):
        raise Rejected(
            f"$.payload.params.{decided[0]} is not allowed: use the payload's own field",
            exchange=profile.exchange,
            action=action,
            kind="BadRequest",
        )
    for name, value in payload.params.items():
        if not _is_plain(value):
            raise Rejected(
                f"$.payload.params.{name} must be a text, a boolean, or a number of at most 64 bits",
                exchange=profile.exchange,
                action=action,
                kind="BadRequest",
            )
    # An exponent is signed in one form and sent in another.
    return {name: str(Digits(repr(v))) if isinstance(v, float) else v for name, v in payload.params.items()}


def not_supported(profile: ExchangeProfile, action: str, what: str, instead: str) -> Rejected:
    """Return the rejection of something that ccxt would not send as it was asked for; say what to do instead."""
    text = f"{what} is not supported on {profile.exchange}: {instead}"
    return Rejected(text, exchange=profile.exchange, action=action, kind="NotSupported")


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def digits(number: Decimal | None) -> Digits | None:
    """Return a number in the form that ccxt is handed; None stays None."""
    return None if number is None else Digits(number)
