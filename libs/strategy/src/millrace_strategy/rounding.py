"""Prices and amounts in the steps that an exchange takes. Pure."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


def to_step(value: Decimal | float, step: Decimal, *, up: bool = False) -> Decimal:
    """Return the next whole multiple of a step at or below a value, or at or above it."""
    exact = Decimal(str(value)) / step
    return exact.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step


def smallest_step(numbers: Iterable[float]) -> Decimal:
    """Return the power of ten in which all numbers are whole, such as 0.01 for 9.98 and 10; 1 for none.

    An exchange's real step may be larger, as 0.05 is.
    """
    exponents = (Decimal(str(number)).normalize().as_tuple().exponent for number in numbers)
    return Decimal(1).scaleb(min((each for each in exponents if isinstance(each, int) and each < 0), default=0))
