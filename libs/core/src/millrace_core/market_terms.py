"""The terms of a market: what one unit of it is, and which prices and amounts its exchange takes. Pure.

A rule that an exchange does not state is None: it is never guessed, and nothing is refused for it.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any, Final, Literal, NamedTuple

import msgspec

from millrace_core.decimals import is_usual
from millrace_core.json_problems import UNREADABLE
from millrace_core.requests import CreatePayload, EditPayload

_DIGITS: Final = 100
"""More than any number of a request has, which is below 1e30, beside a step of any exchange."""


_SIZES: Final = (
    *("contract_size", "tick_size", "amount_step", "cost_step", "price_digits", "amount_digits"),
    *("min_amount", "min_cost"),
)


class SizedOrder(NamedTuple):
    """What would be sent."""

    price: Decimal
    amount: Decimal


class Unsendable(NamedTuple):
    """Why an exchange would refuse an order, however it is rounded."""

    reason: str


class MarketTerms(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What one unit of a market is, and the smallest steps and sizes that its exchange takes."""

    base: str
    quote: str
    is_contract: bool = False
    contract_size: Decimal = Decimal(1)
    """Base currency in one contract; of an inverse one, quote currency. 1 where amounts are no contracts."""
    is_inverse: bool = False
    """Whether a contract is sized in quote currency and settled in base currency."""
    tick_size: Decimal | None = None
    """Prices are multiples of it."""
    amount_step: Decimal | None = None
    """Amounts are multiples of it: base currency, or contracts."""
    cost_step: Decimal | None = None
    """The cost of a market order that is sized in quote currency is a multiple of it."""
    price_digits: int | None = None
    """Prices have at most so many significant digits; of exchanges without ticks."""
    amount_digits: int | None = None
    """Amounts have at most so many significant digits."""
    min_amount: Decimal | None = None
    """The least amount of an order: base currency, or contracts."""
    min_cost: Decimal | None = None
    """The least price times amount of an order, in quote currency."""

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ValueError: one is not above 0.
        """
        for name in _SIZES:
            size = getattr(self, name)
            if size is not None and not (is_usual(Decimal(size)) and size > 0):
                raise ValueError(f"{name} is {size}; it must be above 0")

    @property
    def symbol(self) -> str:
        """What is traded for what, for people."""
        return f"{self.base}/{self.quote}"

    def tick_at(self, price: Decimal | float) -> Decimal | None:
        """Return the step from a price to the next; None if the exchange states none."""
        return _step(price, self.tick_size, self.price_digits)

    def round_price(self, price: Decimal | float, *, up: bool = False) -> Decimal:
        """Return the next price at or below one, or at or above it, that the exchange takes."""
        return _rounded(price, self.tick_size, self.price_digits, up=up)

    def round_amount(self, amount: Decimal | float, *, up: bool = False) -> Decimal:
        """Return the next amount at or below one, or at or above it, that the exchange takes."""
        return _rounded(amount, self.amount_step, self.amount_digits, up=up)

    def cost(self, price: Decimal, amount: Decimal) -> Decimal:
        """Return what an amount is worth at a price, in quote currency."""
        return amount * self.contract_size * (1 if self.is_inverse else price)

    def fit(self, side: Literal["buy", "sell"], price: Decimal | float, amount: Decimal | float) -> "Fitted":
        """Return what would be sent of an order, or why it would be refused.

        The amount is rounded down. The price is rounded away from the other side: of a buy down, of a sell up.

        Raises:
            ValueError: `side` is neither.
        """
        if side not in ("buy", "sell"):
            raise ValueError(f"side is {side!r}; it must be buy or sell")
        at, size = self.round_price(price, up=side == "sell"), self.round_amount(amount)
        if at <= 0 or size <= 0:
            return Unsendable(f"{'price' if at <= 0 else 'amount'} {_text(price if at <= 0 else amount)} rounds to 0")
        errors = [*size_errors(self, size, at)]
        return Unsendable("; ".join(errors)) if errors else SizedOrder(at, size)


Fitted = SizedOrder | Unsendable


def precision_errors(terms: MarketTerms, payload: CreatePayload | EditPayload) -> Iterator[str]:
    """Yield an error for each number of a request that would be rounded, with the step that it must be a multiple of.

    An amount in quote currency must fit the step in which the exchange counts that currency, where it says so.
    """
    symbol = payload.symbol
    quote = payload.amount_quote if isinstance(payload, CreatePayload) else None
    # A market order's price is never sent.
    limit = None if payload.type == "market" else payload.price
    of_price, of_amount = (terms.tick_size, terms.price_digits), (terms.amount_step, terms.amount_digits)
    numbers = (
        ("amountQuote", quote, f"quote step of {symbol}", (terms.cost_step, None)),
        ("amountBase", payload.amount_base, f"lot of {symbol}", of_amount),
        ("price", limit, f"tick of {symbol}", of_price),
        ("triggerPrice", payload.trigger_price, f"tick of {symbol}", of_price),
    )
    for name, number, of, (step, digits) in numbers:
        if number is not None and not _fits(number, step, digits):
            rule = f"{step:f}" if step is not None else f"{digits} significant digits"
            yield f"{name} {number:f} would be rounded: the {of} is {rule}"


def size_errors(terms: MarketTerms, amount: Decimal | None, price: Decimal | None) -> Iterator[str]:
    """Yield an error for each least size that an order is below; without a price its cost is not known."""
    if amount is None:
        return
    if terms.min_amount is not None and amount < terms.min_amount:
        yield f"amount {amount:f} is below the least amount of {terms.symbol}, {terms.min_amount:f}"
    if terms.min_cost is not None and price is not None and (cost := terms.cost(price, amount)) < terms.min_cost:
        yield f"cost {cost.normalize():f} is below the least cost of {terms.symbol}, {terms.min_cost:f} {terms.quote}"


def refusals(terms: MarketTerms, payload: CreatePayload, price: Decimal | None = None) -> list[str]:
    """Return why an exchange with these terms would refuse an order; `price` is what a market order would trade at."""
    at = payload.price if payload.type == "limit" else price
    errors = [*precision_errors(terms, payload), *size_errors(terms, payload.amount_base, at)]
    cost = payload.amount_quote
    if cost is not None and terms.min_cost is not None and cost < terms.min_cost:
        errors.append(f"cost {cost:f} is below the least cost of {terms.symbol}, {terms.min_cost:f} {terms.quote}")
    return errors


def terms_as_text(terms: MarketTerms) -> dict[str, Any]:
    """Return terms as they travel: decimals are texts of their digits, and what is not stated is absent."""
    fields: dict[str, Any] = msgspec.to_builtins(terms, builtin_types=(Decimal,))
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in fields.items()}


def terms_of(text: str | None) -> MarketTerms | None:
    """Return terms that were stored as JSON; None for none, or if they cannot be read."""
    try:
        return None if text is None else _TERMS.decode(text)
    except UNREADABLE:
        return None


def _rounded(value: Decimal | float, step: Decimal | None, digits: int | None, *, up: bool) -> Decimal:
    exact, step = Decimal(str(value)), _step(value, step, digits)
    if step is None:
        return exact
    with localcontext(prec=_DIGITS):
        return (exact / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step


def _step(value: Decimal | float, step: Decimal | None, digits: int | None) -> Decimal | None:
    exact = Decimal(str(value))
    return Decimal(1).scaleb(exact.adjusted() - digits + 1) if step is None and digits is not None and exact else step


def _fits(number: Decimal, step: Decimal | None, digits: int | None) -> bool:
    """Tell whether a number is one that the exchange takes as it is."""
    with localcontext(prec=_DIGITS):
        if step is not None:
            return number % step == 0
        return digits is None or len(number.normalize().as_tuple().digits) <= digits


def _text(value: Decimal | float) -> str:
    return f"{Decimal(str(value)):f}"


_TERMS = msgspec.json.Decoder(MarketTerms)
