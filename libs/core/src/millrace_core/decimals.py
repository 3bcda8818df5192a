"""Numbers to the last digit: one spelling of their texts, and floats that lose none. Pure."""

from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

LARGEST_EXPONENT: Final = 400
"""Beyond it no exchange has numbers, nor a float; written out they would fill the memory. No number has more digits."""
_SURELY_EXACT: Final = 15
"""Every decimal with so many significant digits comes back from a float, if its exponent is usual."""


class ExactFloat(float):
    """A float that remembers the digits of the decimal which it stands for, since it would print others.

    It calculates and compares in order as any float does, and prints its digits. It is equal only to one with the same
    digits, so that a change too small for a float is a change.
    """

    __slots__ = ("digits",)

    digits: str
    """Without an exponent, and without zeros behind the last one."""

    def __new__(cls, digits: str) -> "ExactFloat":
        """Return the float of a decimal."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __repr__(self) -> str:
        return self.digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactFloat) and self.digits == other.digits

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.digits)

    def __abs__(self) -> float:
        return ExactFloat(self.digits.lstrip("-"))

    def __reduce__(self) -> tuple[Any, ...]:
        return ExactFloat, (self.digits,)


def number(text: str) -> float:
    """Return the float of a number; an `ExactFloat` where a plain one would print other digits.

    Zeros at the end are no digits here. A number that no exchange has is rounded.

    Raises:
        ValueError: the text is no number.
    """
    value = float(text)
    if "e" not in text and "E" not in text:
        if len(text) <= _SURELY_EXACT:
            return value
        digits = text.rstrip("0") if "." in text else text
        if len(digits) <= _SURELY_EXACT or repr(value) == digits:
            return value
    if not isfinite(value):
        return value
    exact = _finite(text)
    if exact is None or Decimal(repr(value)) == exact or not is_usual(exact):
        return value
    digits = format(exact, "f")
    return ExactFloat(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def number_or_text(text: str) -> float | str:
    """Return the float of a number; its digits as text where the float would print others.

    For readers of JSON who understand both, as ccxt does, and compare types with `float` itself.

    Raises:
        ValueError: the text is no number.
    """
    value = number(text)
    return value.digits if isinstance(value, ExactFloat) else value


def decimal_or_float(text: str) -> Decimal | float:
    """Return the decimal of a number; one that no exchange has is rounded."""
    exact = _finite(text)
    return float(text) if exact is None or not is_usual(exact) else exact


def number_text(value: float | Decimal) -> str:
    """Return the digits that a number prints, without an exponent; a whole float has no point."""
    return spelled(repr(value)).removesuffix(".0") if isinstance(value, float) else spelled(str(value))


def spelled(text: str) -> str:
    """Return the text of a number without an exponent; one that no exchange has is returned as it is."""
    if "e" not in text and "E" not in text:
        return text
    number = _finite(text)
    return text if number is None else format(number, "f")


def is_usual(number: Decimal) -> bool:
    """Tell whether a number is finite, and its exponent and the number of its digits are such as exchanges have."""
    return _has_usual_exponent(number) and len(number.as_tuple().digits) <= LARGEST_EXPONENT


def _has_usual_exponent(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT


def _finite(text: str) -> Decimal | None:
    """Return the number of a text; None if written out it would fill the memory, or it is not finite."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond all memory
        return None
    return number if _has_usual_exponent(number) else None
