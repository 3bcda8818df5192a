"""The checks of an order against limits. Pure: what they need to know is passed in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Final, Protocol

from millrace_core.config import OrderLimits
from millrace_core.market_terms import MarketTerms
from millrace_executor.risk.terms import BookView, NewTerms, Terms, Unmeasurable, base_amount, notional, reached_price

NO_MARKET: Final = MarketTerms("", "")
"""Stands for a market that the exchange does not have: the exchange refuses the order."""


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that may be sent. Only `decide` makes one, and only an `Approved` can be sent."""

    request: NewTerms


@dataclass(frozen=True, slots=True)
class RiskRejection:
    """An order that must not be sent."""

    reason: str
    """Each limit that it breaks: its name, its value, the order's value, and what would have passed."""
    is_of_account: bool
    """Whether a limit on what the account holds or has open is among them: the account may have changed since."""


class Exposure(Protocol):
    """What the accounts of a bound hold and have open, this order left out."""

    def open_orders(self) -> int:
        """Return how many orders are open or on their way."""

    def holding(self, currency: str, *, adding: Decimal, side: str) -> Decimal:
        """Return the largest holding in a currency that open orders could lead to, with `adding` to come on a side."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits that bind an order, and the state of what they bound."""

    path: str
    """Where the configuration sets them below `risk.{tenant}`, with a dot at the end; empty for the tenant's own."""
    limits: OrderLimits
    sent_ms: Sequence[int] = ()
    """When the latest orders and edits were approved, oldest first."""
    duplicate_of_ms: int | None = None
    """How long ago an order with the same terms and source was approved."""
    exposure: Exposure | None = None
    """None if no limit needs it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides about one order."""

    terms: Terms
    elapsed_ms: int
    """By a clock that nobody sets, as all times of orders that were approved."""
    market: MarketTerms = NO_MARKET
    book: BookView | None = None
    book_age_ms: int | None = None
    """None just when there is no trusted book."""
    no_book: str = ""
    """Why there is none."""


Check = Callable[[Bound, Facts], Iterator[str]]


def decide(request: NewTerms, bounds: Sequence[Bound], facts: Facts) -> Approved | RiskRejection:
    """Decide whether an order may go to the exchange. One that a limit cannot be checked for is rejected."""
    reasons = [reason for bound in bounds for check in _ORDER_CHECKS for reason in check(bound, facts)]
    of_account = [reason for bound in bounds for check in _ACCOUNT_CHECKS for reason in check(bound, facts)]
    if not reasons and not of_account:
        return Approved(request)
    return RiskRejection("; ".join(reasons + of_account), bool(of_account))


def rate_window(orders_per_second: float) -> tuple[int, float]:
    """Return how many orders a limit allows within how many ms: 2.5 a second is 2 in 800 ms, 0.5 is 1 in 2 s."""
    count = max(1, floor(orders_per_second))
    return count, 1000 * count / orders_per_second


def _symbol(bound: Bound, facts: Facts) -> Iterator[str]:
    allowed = bound.limits.symbols
    if allowed is not None and facts.terms.symbol not in allowed:
        yield f"symbol {facts.terms.symbol} is not allowed; {bound.path}symbols allows {', '.join(allowed) or 'none'}"


def _notional(bound: Bound, facts: Facts) -> Iterator[str]:
    limit = bound.limits.max_order_notional
    if limit is None:
        return
    name = f"{bound.path}maxOrderNotional is {limit:f}"
    try:
        value = notional(facts.terms, facts.market, facts.book)
    except Unmeasurable as missing:
        yield f"{name}, which cannot be checked: {_why(missing, facts)}"
        return
    if value > limit:
        yield f"{name} {facts.market.quote}, and this order's notional is {_short(value)}"


def _rate(bound: Bound, facts: Facts) -> Iterator[str]:
    limit = bound.limits.max_orders_per_second
    if limit is None:
        return
    count, window_ms = rate_window(limit)
    lately = [sent for sent in bound.sent_ms if sent > facts.elapsed_ms - window_ms]
    if len(lately) >= count:
        wait_ms = lately[-count] + window_ms - facts.elapsed_ms
        yield (
            f"{bound.path}maxOrdersPerSecond is {limit:g}, and {len(lately)} were sent in the last {window_ms:g} ms; "
            f"the next may be sent in {wait_ms:.0f} ms"
        )


def _collar(bound: Bound, facts: Facts) -> Iterator[str]:
    limit = bound.limits.price_collar_percent
    if limit is None:
        return
    name = f"{bound.path}priceCollarPercent is {limit:f}"
    if facts.book is None:
        yield f"{name}, which cannot be checked: no trusted book: {facts.no_book}"
        return
    try:
        price, mid = reached_price(facts.terms, facts.market, facts.book), facts.book.mid
    except Unmeasurable as missing:
        yield f"{name}, which cannot be checked: {_why(missing, facts)}"
        return
    off = abs(price - mid) / mid * 100
    if off > limit:
        low, high = mid * (1 - limit / 100), mid * (1 + limit / 100)
        yield f"{name}, and {_short(price)} is {off:.2f} % from the mid; allowed: {_short(low)} to {_short(high)}"


def _book_age(bound: Bound, facts: Facts) -> Iterator[str]:
    limit = bound.limits.max_book_age_ms
    if limit is None:
        return
    if facts.book_age_ms is None:
        yield f"{bound.path}maxBookAgeMs is {limit}, and there is no trusted book: {facts.no_book}"
    elif facts.book_age_ms > limit:
        yield f"{bound.path}maxBookAgeMs is {limit}, and the newest book is {facts.book_age_ms} ms old"


def _duplicate(bound: Bound, facts: Facts) -> Iterator[str]:
    limit, age_ms = bound.limits.duplicate_window_ms, bound.duplicate_of_ms
    if limit is not None and age_ms is not None and age_ms < limit:
        yield (
            f"{bound.path}duplicateWindowMs is {limit}, and an order with the same terms was sent {age_ms} ms ago; "
            f"it may be sent in {limit - age_ms} ms"
        )


def _open_orders(bound: Bound, facts: Facts) -> Iterator[str]:
    limit = bound.limits.max_open_orders
    if limit is None or bound.exposure is None or facts.terms.replaces is not None:
        return
    if (count := bound.exposure.open_orders()) >= limit:
        yield f"{bound.path}maxOpenOrders is {limit}, and {count} orders are open or on their way; cancel one"


def _position(bound: Bound, facts: Facts) -> Iterator[str]:
    terms, market = facts.terms, facts.market
    limits = {code: limit for code, limit in bound.limits.max_position.items() if code in (market.base, market.quote)}
    if bound.exposure is None or terms.is_reducing or not limits:
        return
    if terms.side is None:
        yield f"{bound.path}maxPosition cannot be checked: the order to edit is not known here: name its side"
        return
    currency = market.base if market.is_contract or terms.side == "buy" else market.quote
    limit = limits.get(currency)
    if limit is None:
        return
    name = f"{bound.path}maxPosition.{currency} is {limit:f}"
    try:
        adding = (base_amount if currency == market.base else notional)(terms, market, facts.book)
    except Unmeasurable as missing:
        yield f"{name}, which cannot be checked: {_why(missing, facts)}"
        return
    reached = bound.exposure.holding(currency, adding=adding, side=terms.side)
    if adding and reached > limit:
        room = max(limit - (reached - adding), Decimal(0))
        would_be = f"with this order and all open ones it could be {_short(reached)}"
        yield f"{name}, and {would_be}; an order that adds {_short(room)} would pass"


def _why(missing: Unmeasurable, facts: Facts) -> str:
    return f"{missing}: {facts.no_book}" if facts.no_book else str(missing)


def _short(number: Decimal) -> str:
    """Return a number for people: exact if it is short, else with 12 digits."""
    return f"{number.normalize():f}" if len(number.as_tuple().digits) <= 18 else f"{float(number):.12g}"


_ORDER_CHECKS: tuple[Check, ...] = (_symbol, _notional, _rate, _collar, _book_age, _duplicate)
_ACCOUNT_CHECKS: tuple[Check, ...] = (_open_orders, _position)
