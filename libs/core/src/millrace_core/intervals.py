"""Where intervals open: at multiples of their length since 1970 UTC; weeks on Monday, as at exchanges. Pure."""

from typing import Final

from millrace_core.clock import DAY_MS, MINUTE_MS

WEEK_MS: Final = 7 * DAY_MS
_FIRST_MONDAY_MS: Final = 4 * DAY_MS
"""1970 began on a Thursday."""

_UNITS_MS: Final = {"s": 1_000, "m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS, "w": WEEK_MS, "M": 30 * DAY_MS}


def interval_ms(timeframe: str) -> int:
    """Return the length of a timeframe in ccxt's notation, such as `10s`, `1m` or `1d`; a month counts 30 days.

    Raises:
        ValueError: it is no timeframe.
    """
    number, unit = timeframe[:-1], timeframe[-1:]
    if not (number.isascii() and number.isdecimal() and 0 < int(number) < 1_000) or unit not in _UNITS_MS:
        raise ValueError(f"{timeframe!r} is no timeframe; one is a number with s, m, h, d, w or M, such as 1m")
    return int(number) * _UNITS_MS[unit]


def first_open(interval_ms: int) -> int:
    """Return when the first interval of a length opens (ms since 1970); all others open whole lengths from it."""
    return _FIRST_MONDAY_MS if interval_ms % WEEK_MS == 0 else 0


def open_of(at_ms: int, interval_ms: int) -> int:
    """Return when the interval opened in which a moment lies, ms."""
    return at_ms - (at_ms - first_open(interval_ms)) % interval_ms
