"""Prices and amounts as whole numbers, which the matching engine takes. Pure."""

from decimal import Decimal
from typing import Final

from millrace_core.position import EXACT, plain

PLACES: Final = 15
"""Decimals of prices and amounts: more than any exchange has."""
_ONE: Final = 10**PLACES


def units(number: Decimal) -> int:
    """Return a number in units of 10^-15.

    Raises:
        ValueError: it has more decimals.
    """
    scaled = EXACT.scaleb(number, PLACES)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{number} has more than {PLACES} decimals")
    return whole


def level_units(number: float) -> int:
    """Return a recorded price or amount in units; digits beyond them, which floats may have, are cut off."""
    return int(EXACT.scaleb(Decimal(repr(number)), PLACES))


def decimal(whole: int) -> Decimal:
    """Return a number of units as a decimal without zeros behind the last digit."""
    return plain(EXACT.scaleb(Decimal(whole), -PLACES))


def budget_units(amount: Decimal) -> int:
    """Return an amount of money as a product of a price and an amount, both in units."""
    return units(amount) * _ONE
