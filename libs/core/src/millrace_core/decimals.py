"""One spelling of numbers: their digits as they came, without an exponent. Pure."""

from decimal import Decimal
from typing import Final

LARGEST_EXPONENT: Final = 400
"""Beyond it no exchange has numbers, nor a float; written out they would fill the memory."""


def spelled(text: str) -> str:
    """Return the text of a number without an exponent; one that no exchange has is returned as it is."""
    if "e" not in text and "E" not in text:
        return text
    number = Decimal(text)
    return format(number, "f") if is_usual(number) else text


def is_usual(number: Decimal) -> bool:
    """Tell whether a number is finite, and its exponent one that numbers of exchanges have."""
    return number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT
