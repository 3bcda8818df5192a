"""What ccxt's order methods are called with for a request of ours. Pure."""

from decimal import Decimal
from typing import Any, NamedTuple

from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange.profile import ClientOrderIds


class OrderArguments(NamedTuple):
    """The arguments of ccxt's `create_order`, in its order."""

    symbol: str
    type: str
    side: str
    amount: float | None
    price: float | None
    params: dict[str, Any]


def create_arguments(
    ids: ClientOrderIds, payload: CreatePayload, client_id: str, *, market_buy_requires_price: bool
) -> OrderArguments:
    """Return the arguments that place an order.

    A market order's price is only what its sender expects: given to ccxt, it would turn the amount into a cost
    on Binance. Some exchanges take a market buy's cost instead of its amount; there ccxt wants the price for it.
    """
    params: dict[str, Any] = {**payload.params, **ids.params(client_id)}
    if payload.time_in_force is not None:
        params["timeInForce"] = payload.time_in_force
    if payload.post_only:
        params["postOnly"] = True
    if payload.reduce_only:
        params["reduceOnly"] = True
    if payload.trigger_price is not None:
        params["triggerPrice"] = float(payload.trigger_price)
    if payload.amount_quote is not None:
        params["cost"] = float(payload.amount_quote)
    needs_price = payload.type == "limit" or (payload.side == "buy" and market_buy_requires_price)
    return OrderArguments(
        symbol=payload.symbol,
        type=payload.type,
        side=payload.side,
        amount=_number(payload.amount_base if payload.amount_base is not None else payload.amount_quote),
        price=_number(payload.price) if needs_price else None,
        params=params,
    )


def edit_params(ids: ClientOrderIds, payload: EditPayload, client_id: str) -> dict[str, Any]:
    """Return the parameters of a change; where the exchange replaces the order, the new one carries `client_id`."""
    params: dict[str, Any] = {**payload.params, **ids.params(client_id)}
    if payload.trigger_price is not None:
        params["triggerPrice"] = float(payload.trigger_price)
    return params


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
