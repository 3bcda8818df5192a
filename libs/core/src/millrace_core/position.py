"""The arithmetic of positions and profit: average cost, exact decimals, long and short. Pure.

The cost of what is left after a part was closed is in proportion, cut after 24 decimals. Nothing else is rounded, so

    realised = cash received - cash paid - fees paid in cash + cost of the open position

holds to the last digit after every fill. A fee in base currency is no cash: it makes what was received less. The cost
is worked out from what it was when the position last grew, so closing in ten steps leaves the same cost as in one.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext
from typing import Any, Final, NamedTuple

from millrace_core.instrument import Instrument

EXACT: Final = Context(prec=5_000, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])
"""Holds every digit of products and sums of floats; raises `Inexact` rather than round."""
DECIMALS: Final = 24
_AVERAGE_DIGITS: Final = 28
_ZERO: Final = Decimal(0)


class Fee(NamedTuple):
    """The fee of one fill in one currency; negative for a rebate."""

    cost: Decimal
    currency: str
    price: Decimal | None = None
    """Of one unit of the fee's currency in the currency of profit at the time; None if not known or not needed."""


class Fill(NamedTuple):
    """One of a tenant's own trades."""

    at_ms: int
    is_buy: bool
    price: Decimal
    amount: Decimal
    """In base currency, or in contracts."""
    cost: Decimal | None = None
    """The value of a derivative's fill in the currency of profit, which depends on the size of its contract.

    None to take price times amount, as spot markets do.
    """
    fees: tuple[Fee, ...] = ()
    """What was charged for it, in one currency or several; empty if that is not known."""

    @property
    def value(self) -> Decimal:
        """Value in the currency of profit."""
        return self.price * self.amount if self.cost is None else self.cost


class Position(NamedTuple):
    """What the fills so far add up to. Money is in the currency of profit, quantities in base currency or contracts."""

    quantity: Decimal = _ZERO
    """Below zero for a short position."""
    opened_quantity: Decimal = _ZERO
    """The quantity when the position last grew."""
    opened_cost: Decimal = _ZERO
    """The cost of that quantity."""
    realised: Decimal = _ZERO
    """Profit of what was closed, less the fees; those without a known value are left out."""
    fees: Decimal = _ZERO
    """The value of all fees at their time; those without a known value are left out."""
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO
    turnover: Decimal = _ZERO
    """The value of everything that was bought or sold."""
    trades: int = 0
    fees_by_currency: Mapping[str, Decimal] = {}
    """All fees as they were charged."""
    unvalued_fees: Mapping[str, Decimal] = {}
    """Those of them whose value is not known: `realised` and `fees` are without them."""

    @property
    def cost(self) -> Decimal:
        """What the open position cost; below zero for what a short position was sold for."""
        if not self.quantity:
            return _ZERO
        if self.quantity == self.opened_quantity:
            return self.opened_cost
        return _share(self.opened_cost, self.quantity, self.opened_quantity)


def after(position: Position, fills: Iterable[Fill], instrument: Instrument) -> Position:
    """Return the position after some more fills, which must come in order."""
    with localcontext(EXACT):
        for fill in fills:
            position = _after(position, fill, instrument)
    return position


def charged(position: Position, fees: Collection[Fee], price: Decimal, instrument: Instrument) -> Position:
    """Return the position after fees that were reported later than their fill, which was at about this price."""
    with localcontext(EXACT):
        position = _received_less(position, _kept_back(fees, instrument))
        return _with_fees(position, fees, price, instrument)


def average_price(position: Position) -> Decimal | None:
    """Return the average price (28 digits) at which an open position was bought or sold; None without one.

    Of contracts it is no price: their cost depends on the contract's size.
    """
    if not position.quantity:
        return None
    context = EXACT.copy()
    context.prec, context.traps = _AVERAGE_DIGITS, dict.fromkeys(context.traps, False)
    return plain(context.divide(position.opened_cost, position.opened_quantity))


def unrealised(position: Position, price: Decimal) -> Decimal:
    """Return what closing a position at a price would earn, before fees; of spot markets."""
    return plain(EXACT.subtract(EXACT.multiply(position.quantity, price), position.cost))


def digits(number: Decimal) -> str:
    """Return all digits of a number, without an exponent and without zeros behind the last."""
    return format(EXACT.normalize(number), "f") if number else "0"


def plain(number: Decimal) -> Decimal:
    """Return a number that prints as its `digits`."""
    return Decimal(digits(number))


def _after(position: Position, fill: Fill, instrument: Instrument) -> Position:
    side = 1 if fill.is_buy else -1
    kept_back = _kept_back(fill.fees, instrument)
    paid = (-side if instrument.is_inverse else side) * fill.value
    moved = _moved(position, side * fill.amount - kept_back, paid)
    counted: dict[str, Any] = {
        "bought" if fill.is_buy else "sold": (position.bought if fill.is_buy else position.sold) + fill.amount,
        "turnover": position.turnover + abs(fill.value),
        "trades": position.trades + 1,
    }
    return _with_fees(moved._replace(**counted), fill.fees, fill.price, instrument)


def _moved(position: Position, received: Decimal, paid: Decimal) -> Position:
    """Return the position after a quantity was received for a payment; both are below zero for a sale."""
    before, quantity, cost = position.quantity, position.quantity + received, position.cost
    if before * received >= 0 and received:
        return position._replace(quantity=quantity, opened_quantity=quantity, opened_cost=cost + paid)
    if before * quantity < 0:
        # What is left of the payment for the closed part opened the other side, at the same price.
        position = position._replace(opened_quantity=received, opened_cost=paid)
    closed = position._replace(quantity=quantity)
    return closed._replace(realised=position.realised - paid + closed.cost - cost)


def _received_less(position: Position, amount: Decimal) -> Position:
    """Return the position after it turned out that so much less was received for what was paid."""
    if not amount:
        return position
    quantity = position.quantity - amount
    if position.quantity * quantity <= 0:
        return _moved(position, -amount, _ZERO)
    return position._replace(quantity=quantity, opened_quantity=quantity, opened_cost=position.cost)


def _kept_back(fees: Iterable[Fee], instrument: Instrument) -> Decimal:
    return sum((fee.cost for fee in fees if instrument.takes_from_quantity(fee.currency)), _ZERO)


def _with_fees(position: Position, fees: Iterable[Fee], price: Decimal, instrument: Instrument) -> Position:
    for fee in fees:
        position = _with_fee(position, fee, price, instrument)
    return position


def _with_fee(position: Position, fee: Fee, price_of_base: Decimal, instrument: Instrument) -> Position:
    if not fee.cost:
        return position
    position = position._replace(fees_by_currency=_plus(position.fees_by_currency, fee))
    if instrument.takes_from_quantity(fee.currency):
        return position._replace(fees=position.fees + fee.cost * price_of_base)
    price = Decimal(1) if fee.currency == instrument.currency else fee.price
    if price is None:
        return position._replace(unvalued_fees=_plus(position.unvalued_fees, fee))
    value = fee.cost * price
    return position._replace(fees=position.fees + value, realised=position.realised - value)


def _plus(sums: Mapping[str, Decimal], fee: Fee) -> Mapping[str, Decimal]:
    return {**sums, fee.currency: sums.get(fee.currency, _ZERO) + fee.cost}


def _share(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return the cost of a part of a quantity, cut after `DECIMALS`."""
    units = EXACT.divide_int(EXACT.scaleb(EXACT.multiply(cost, part), DECIMALS), whole)
    return EXACT.scaleb(units, -DECIMALS)
