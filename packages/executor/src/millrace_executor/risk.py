"""Risk limits: decides whether an order may be sent. Pure.

The limits enforced here need only the request and what was sent lately. `not_enforced` names those that need books,
open orders or positions and protect from nothing yet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from millrace_core.config import RiskLimits
from millrace_core.orders import Order
from millrace_core.requests import CreateOrder, EditOrder

NewTerms = CreateOrder | EditOrder
"""A request that puts terms on the exchange. Cancels are never checked."""

_NOT_YET = ("max_open_orders", "max_position", "price_collar_percent", "max_book_age_ms")


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that may be sent. Only `check` makes one, and only an `Approved` can be sent."""

    request: NewTerms


@dataclass(frozen=True, slots=True)
class RiskRejection:
    """An order that must not be sent, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class TradingState:
    """State of a tenant's trading at the moment of a decision."""

    now_ms: int
    sent_ms: Sequence[int] = ()
    """When its latest orders and edits were approved, oldest first."""
    edited: Order | None = None
    """The order that an edit changes, if known."""


def check(order: NewTerms, limits: RiskLimits, state: TradingState) -> Approved | RiskRejection:
    """Decide whether an order, or an order's new terms, may go to the exchange.

    An order that a limit cannot be checked for is rejected.
    """
    reasons = (_symbol_reason(order, limits), _notional_reason(order, limits, state), _rate_reason(limits, state))
    found = [reason for reason in reasons if reason is not None]
    return RiskRejection("; ".join(found)) if found else Approved(order)


def not_enforced(limits: RiskLimits) -> list[str]:
    """Name the limits that are set but that `check` does not enforce, as the configuration spells them."""
    fields = type(limits).model_fields
    return [fields[name].alias or name for name in _NOT_YET if getattr(limits, name) not in (None, {})]


def rate_window(orders_per_second: float) -> tuple[int, float]:
    """Return how many orders a limit allows within how many ms: 2.5 a second is 2 in 800 ms, 0.5 is 1 in 2 s."""
    count = max(1, math.floor(orders_per_second))
    return count, 1000 * count / orders_per_second


def _symbol_reason(order: NewTerms, limits: RiskLimits) -> str | None:
    if limits.symbols is None or order.payload.symbol in limits.symbols:
        return None
    return f"symbol {order.payload.symbol} is not allowed; `symbols` allows {', '.join(limits.symbols) or 'none'}"


def _notional_reason(order: NewTerms, limits: RiskLimits, state: TradingState) -> str | None:
    limit = limits.max_order_notional
    if limit is None:
        return None
    notional = _notional(order, state.edited)
    if notional is None:
        return f"maxOrderNotional is {limit}, which cannot be checked: add an amount and a price"
    if notional > limit:
        return f"maxOrderNotional is {limit}, and this order's notional is {notional}"
    return None


def _notional(order: NewTerms, edited: Order | None) -> Decimal | None:
    payload = order.payload
    prices: list[Decimal | None] = [payload.price, payload.trigger_price]
    amount = payload.amount_base
    if isinstance(order, CreateOrder) and order.payload.amount_quote is not None:
        return order.payload.amount_quote
    if edited is not None:
        # The terms that an edit does not change are those of the order.
        prices = [payload.price or edited.price, payload.trigger_price or edited.trigger_price]
        amount = amount or edited.amount
    known = [price for price in prices if price is not None]
    # An order with a trigger and a limit may fill at either: the larger one counts.
    return None if amount is None or not known else amount * max(known)


def _rate_reason(limits: RiskLimits, state: TradingState) -> str | None:
    if limits.max_orders_per_second is None:
        return None
    count, window_ms = rate_window(limits.max_orders_per_second)
    lately = sum(1 for sent in state.sent_ms if sent > state.now_ms - window_ms)
    if lately < count:
        return None
    return (
        f"maxOrdersPerSecond is {limits.max_orders_per_second:g}, and {lately} were sent in the last {window_ms:g} ms"
    )
