"""Numbers and times as text. Amounts keep the digits with which they came."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any

NONE = "–"
"""Stands where there is no value."""
_LONGEST = 8
_LEAST_DIGITS = 4
MINUS = "\N{MINUS SIGN}"


def number(value: Any, digits: int | None = None, *, signed: bool = False) -> str:
    """Return a number in plain digits, grouped by thousands; with `digits` decimals, or with those that it has."""
    if value is None or value == "":
        return NONE
    try:
        exact = (
            value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else str(value))
        )
    except InvalidOperation:
        return str(value)
    if not exact.is_finite():
        return NONE
    text = f"{exact:,.{digits}f}" if digits is not None else f"{exact:,f}"
    text = text.replace("-", MINUS)
    return f"+{text}" if signed and exact > 0 else text


def rounded(value: float) -> str:
    """Return a number with ten significant digits at most."""
    return number(Decimal(f"{value:.10g}"))


def short_number(value: Any, *, signed: bool = False) -> str:
    """Return a number with the digits that it has; of those of a division, with 8 decimals.

    If fewer than four digits would be left, as of prices far below 1, it has more decimals.
    """
    if value is None:
        return NONE
    exact = Decimal(value) or Decimal(0)
    exponent = exact.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    shown = min(decimals, max(_LONGEST, _LEAST_DIGITS - 1 - exact.adjusted())) if decimals > _LONGEST else None
    return number(exact, shown, signed=signed)


def places(value: Any) -> int:
    """Return how many decimals a number has as it is written."""
    exact = Decimal(repr(value) if isinstance(value, float) else str(value)).normalize()
    exponent = exact.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def time_of_day(ms: int | None) -> str:
    """Return the time of day in UTC, to the second."""
    return NONE if ms is None else f"{_moment(ms):%H:%M:%S}"


def date_and_time(ms: int | None) -> str:
    """Return date and time in UTC, to the second."""
    return NONE if ms is None else f"{_moment(ms):%Y-%m-%d %H:%M:%S}"


def ago(ms: int | None, now_ms: int) -> str:
    """Return how long ago a moment was, such as `3 s`, `12 min`, `5 h`, `2 d`."""
    if ms is None:
        return NONE
    seconds = max(0, now_ms - ms) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def duration(ns: float | None) -> str:
    """Return nanoseconds as ms with two decimals, or as s from 10 s on."""
    if ns is None:
        return NONE
    ms = ns / 1e6
    return f"{ms / 1000:,.1f} s" if ms >= 10_000 else f"{ms:,.2f} ms"


def sign_class(value: Any) -> str:
    """Return the CSS class of a gain or a loss; the sign says the same in the text."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return ""
    return "up" if exact > 0 else "down" if exact < 0 else ""


def html(value: Any) -> str:
    """Return a text that is safe within HTML."""
    return escape(str(value), quote=True)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
