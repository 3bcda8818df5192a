"""The wall clock, which is read here only so that tests can put another in its place, and units of time."""

import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], int]
"""Returns the time since the Unix epoch, in the unit that the parameter's name ends with (`now_ms`, `now_ns`)."""

NS_PER_MS: Final = 1_000_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
LATEST_MS: Final = 253_402_300_799_999
"""The last ms of the year 9999."""
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_ns() -> int:
    """Return the wall clock in ns, the unit of traces."""
    return time.time_ns()


def now_ms() -> int:
    """Return the wall clock in ms, the unit of timestamps and epochs."""
    return time.time_ns() // NS_PER_MS


def elapsed_ms() -> int:
    """Return `elapsed_s` in ms."""
    return int(elapsed_s() * 1_000)


def elapsed_s() -> float:
    """Return a clock that never goes back, in s; unlike `time.monotonic` it goes on while the machine sleeps."""
    return time.clock_gettime(_BOOTTIME)
