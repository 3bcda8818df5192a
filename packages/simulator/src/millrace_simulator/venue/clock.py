"""The venue's clock: the wall, or one that a test moves by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The venue's time."""

    def now_us(self) -> int:
        """Return wall-clock µs; never less than before."""
        ...

    def reach(self, now_us: int) -> None:
        """Move the clock on to the market's time; a wall clock ignores this."""
        ...


class WallClock:
    """The machine's own clock, held still when the machine sets it back, and shifted for clients that must bear it."""

    def __init__(self) -> None:
        self._last_us = 0
        self._shift_us = 0

    def now_us(self) -> int:
        """Return wall-clock µs; never less than before, unless it is shifted."""
        self._last_us = max(self._last_us, time.time_ns() // 1000 + self._shift_us)
        return self._last_us

    def shift(self, by_ms: int) -> None:
        """Be ahead of the machine's clock from now on, or behind it."""
        self._shift_us, self._last_us = by_ms * 1000, 0

    def reach(self, now_us: int) -> None:
        """Do nothing: the wall clock moves by itself."""


class ManualClock:
    """A clock that only the market's steps move: the same steps produce the same times."""

    def __init__(self, start_us: int = 1_750_000_000_000_000) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """Return the time last reached, µs."""
        return self._now_us

    def reach(self, now_us: int) -> None:
        """Move on to this time; never back."""
        self._now_us = max(self._now_us, now_us)
