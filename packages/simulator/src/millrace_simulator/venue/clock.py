"""The venue's clock: the wall, or one that a test moves by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the venue's time."""

    def now_us(self) -> int:
        """Wall-clock µs; never less than before."""
        ...

    def reach(self, now_us: int) -> None:
        """Hear that the market has come to this time; a clock of its own pays no heed."""
        ...


class WallClock:
    """The machine's own clock, held still when the machine sets it back."""

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        """Wall-clock µs; never less than before."""
        self._last_us = max(self._last_us, time.time_ns() // 1000)
        return self._last_us

    def reach(self, now_us: int) -> None:
        """Pay no heed: the wall goes by itself."""


class ManualClock:
    """A clock that stands until the market's steps move it: the same steps give the same times."""

    def __init__(self, start_us: int = 1_750_000_000_000_000) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """The time last reached, µs."""
        return self._now_us

    def reach(self, now_us: int) -> None:
        """Move on to this time; never back."""
        self._now_us = max(self._now_us, now_us)
