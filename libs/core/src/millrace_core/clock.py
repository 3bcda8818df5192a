"""The wall clock, read here only, so that whatever depends on time can be given another."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the time since the Unix epoch; the unit is the caller's to state (`now_ms` or `now_ns`)."""


def now_ns() -> int:
    """Return the wall clock in nanoseconds: the unit of traces."""
    return time.time_ns()


def now_ms() -> int:
    """Return the wall clock in milliseconds: the unit of timestamps and epochs."""
    return time.time_ns() // 1_000_000
