"""A deadline that each message moves on, cheap enough for every message."""

import asyncio
from collections.abc import Callable


class Silence:
    """Calls back once when nothing was heard for a while. Runs from `start` to `stop`."""

    def __init__(self, limit_s: float, broken: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to listen; this moment counts as a message."""
        self.heard()
        self.stop()
        self._timer = self._loop.call_later(self._limit_s, self._check)

    def heard(self) -> None:
        """Note a message. Only a number is stored: the timer finds it when it runs out."""
        self._heard_at = self._loop.time()

    def stop(self) -> None:
        """Call back no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        left_s = self._heard_at + self._limit_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            self._timer = None
            self._broken()
