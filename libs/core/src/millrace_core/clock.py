"""The wall clock. It is read here only, so that tests can put another in its place."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns the time since the Unix epoch, in the unit that the parameter's name ends with (`now_ms`, `now_ns`)."""


def now_ns() -> int:
    """Return the wall clock in ns, the unit of traces."""
    return time.time_ns()


def now_ms() -> int:
    """Return the wall clock in ms, the unit of timestamps and epochs."""
    return time.time_ns() // 1_000_000
