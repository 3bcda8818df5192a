"""How KuCoin writes numbers: as text, with no more digits than they have."""

from __future__ import annotations

from decimal import Decimal

ZERO = Decimal(0)


def number_text(value: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros: 12.5, 0, 0.00001."""
    return f"{value.normalize() if value else ZERO:f}"
