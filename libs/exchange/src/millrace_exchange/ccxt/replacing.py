"""Replaces an order in two steps: cancel it, then place what is left of the amount, which is final by then."""

import asyncio
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from millrace_core.orders import Order
from millrace_core.requests import CancelPayload, CreatePayload, EditPayload
from millrace_exchange.ccxt.changes import OrderChanges
from millrace_exchange.ccxt.order_queries import FetchedOrder
from millrace_exchange.errors import ExchangeError, OutcomeUnknown, Rejected, Retryable
from millrace_exchange.ports import Acknowledgement
from millrace_exchange.profile import ExchangeProfile

ASK_AGAIN_S: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses before the questions what was filled of a canceled order."""
_TIMES_IN_FORCE: Final = frozenset({"GTC", "IOC", "FOK"})


def kept_terms(profile: ExchangeProfile, found: FetchedOrder) -> dict[str, Any]:
    """Return the parameters that an edit needs so as not to lose a term; mostly an amended order keeps all."""
    if profile.edit != "cancel_replace":
        return {"postOnly": True} if profile.amends_to_taking and found.order.post_only else {}
    order, kept = found.order, _kept_fields(profile, found)
    if order.time_in_force in _TIMES_IN_FORCE and not order.post_only and order.type != "market":
        kept["timeInForce"] = order.time_in_force
    if order.post_only and profile.post_only_type is None:
        kept["postOnly"] = True
    if order.reduce_only:
        kept["reduceOnly"] = True
    return kept


async def cancel_and_create(
    orders: OrderChanges,
    profile: ExchangeProfile,
    payload: EditPayload,
    found: FetchedOrder,
    total: Decimal,
    client_order_id: str,
) -> Acknowledgement:
    """Cancel an order, and place another with the rest of `total`; return the new one.

    If nothing is left of `total` when it is canceled, the former is returned.

    Raises:
        Rejected: it was not canceled, or was and its replacement was not placed: the text says which.
        Retryable, Fatal: nothing was done.
        OutcomeUnknown: it may be canceled, and its replacement placed.
    """
    acknowledged = await orders.cancel_order(CancelPayload(symbol=payload.symbol, order_id=found.order.id))
    try:
        former = await _ended(orders, profile.exchange, payload.symbol, acknowledged.orders[0])
        rest = total - (former.filled or Decimal(0))
        if rest <= 0:
            return acknowledged._replace(orders=(former,))
        terms = _rest_of(payload, found.order, rest)
        placed = await orders.place(terms, client_order_id, _kept_fields(profile, found))
    except OutcomeUnknown:
        raise
    except ExchangeError as error:
        # Nothing may be tried again: the order that the edit names is gone.
        reason = f"the order was canceled, its replacement was not placed: {error}"
        raise Rejected(reason, exchange=error.exchange, action="editOrder", kind=error.kind) from error
    return placed._replace(ended=(former,))


async def _ended(orders: OrderChanges, exchange: str, symbol: str, canceled: Order) -> Order:
    """Return a canceled order with what was filled of it, which not every answer to a cancel says.

    Some exchanges only take a cancel on (HTX), and say a moment later what became of the order.
    """
    if canceled.is_final and canceled.filled is not None:
        return canceled
    reason = "the exchange does not say yet how much of it was filled"
    error = Retryable(reason, exchange=exchange, action="editOrder", kind="OperationFailed")
    for pause_s in ASK_AGAIN_S:
        await asyncio.sleep(pause_s)
        try:
            asked = await orders.fetch_order(symbol, order_id=canceled.id)
        except Retryable as failure:
            error = failure
            continue
        if asked is not None and asked.is_final and asked.filled is not None:
            return asked
    raise error


def _rest_of(payload: EditPayload, order: Order, rest: Decimal) -> CreatePayload:
    """Return the order that takes the place of another; one that is partly filled waits for no trigger any more."""
    terms = CreatePayload(
        symbol=payload.symbol,
        side="sell" if order.side == "sell" else "buy",
        type="limit",
        amount_base=rest,
        price=payload.price or order.price,
        post_only=order.post_only is True,
        reduce_only=order.reduce_only is True,
    )
    if order.time_in_force in _TIMES_IN_FORCE and not order.post_only:
        terms = replace(terms, time_in_force=order.time_in_force)
    return terms


def _kept_fields(profile: ExchangeProfile, found: FetchedOrder) -> dict[str, Any]:
    return {name: value for name in profile.kept_fields if _is_set(value := found.record.get(name))}


def _is_set(value: object) -> bool:
    return value is not None and str(value).strip("0.") != ""
