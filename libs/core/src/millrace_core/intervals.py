"""Where intervals open: at multiples of their length since 1970 UTC; weeks on Monday, as at exchanges. Pure."""

from typing import Final

from millrace_core.clock import DAY_MS

WEEK_MS: Final = 7 * DAY_MS
_FIRST_MONDAY_MS: Final = 4 * DAY_MS
"""1970 began on a Thursday."""


def first_open(interval_ms: int) -> int:
    """Return when the first interval of a length opens (ms since 1970); all others open whole lengths from it."""
    return _FIRST_MONDAY_MS if interval_ms % WEEK_MS == 0 else 0


def open_of(at_ms: int, interval_ms: int) -> int:
    """Return when the interval opened in which a moment lies, ms."""
    return at_ms - (at_ms - first_open(interval_ms)) % interval_ms
