"""A strategy's timers and its clock. A timer that is due is an event like any other, and interrupts no hook."""

import asyncio
from collections.abc import Awaitable, Callable
from math import isfinite
from typing import Final, Protocol, TypeVar

from millrace_core.clock import NS_PER_MS, Clock

Callback = Callable[[], Awaitable[None] | None]
Ms = TypeVar("Ms", int, float)
_EARLIEST_MS: Final = 100
"""No loop calls that much too early, unless the clock was set back."""
_FEW: Final = 64
"""Timers of which none has to be dropped."""


class ScheduledCall(Protocol):
    """A callback that is scheduled and can be cancelled; asyncio's `TimerHandle` is one."""

    def cancel(self) -> None:
        """Cancel the callback."""


CallLater = Callable[[float, Callable[[], None]], ScheduledCall]
"""Schedules a callback, after so many seconds."""


class Timer:
    """One timer that a strategy has set."""

    def __init__(self, name: str, *, due_ms: int, every_ms: int | None, callback: Callback | None) -> None:
        self.name = name
        self.due_ms = due_ms
        """When it is next due, wall clock in ms."""
        self.every_ms = every_ms
        self.callback = callback
        self.is_cancelled = False
        self.is_waiting = False
        """Whether its event still waits to be handled."""
        self.scheduled: ScheduledCall | None = None

    def cancel(self) -> None:
        """Stop the timer. An event of it that already waits is dropped too."""
        self.is_cancelled = True
        if self.scheduled is not None:
            self.scheduled.cancel()


class Timers:
    """The timers of one strategy. `fire` is called with a timer and when it was due, ms."""

    def __init__(self, *, now_ns: Clock, call_later: CallLater, fire: Callable[[Timer, int], None]) -> None:
        self._now_ns = now_ns
        self._call_later = call_later
        self._fire = fire
        self._timers: set[Timer] = set()
        self._drop_at = _FEW
        """With so many, those that were cancelled are dropped."""
        self._count = 0
        self._is_stopped = False

    def after(self, ms: int, callback: Callback | None, name: str | None) -> Timer:
        """Return a timer that fires once in `ms`, or as soon as possible if that is 0 or less.

        Raises:
            ValueError: `ms` is not a finite number.
        """
        return self._set(max(finite_ms(ms), 0), None, callback, name)

    def every(self, ms: int, callback: Callback | None, name: str | None) -> Timer:
        """Return a timer that fires every `ms`.

        Events do not pile up: while one waits, or when the loop was blocked, others are skipped.

        Raises:
            ValueError: `ms` is not above 0, or not finite.
        """
        if finite_ms(ms) <= 0:
            raise ValueError(f"a repeating timer needs more than 0 ms, not {ms}")
        return self._set(ms, ms, callback, name)

    def stop(self) -> None:
        """Stop all timers, and set no more."""
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _set(self, ms: int, every_ms: int | None, callback: Callback | None, name: str | None) -> Timer:
        self._count += 1
        timer = Timer(name or f"timer-{self._count}", due_ms=self._now_ms() + ms, every_ms=every_ms, callback=callback)
        if self._is_stopped:
            timer.cancel()
            return timer
        self._timers.add(timer)
        if len(self._timers) > self._drop_at:
            self._timers = {kept for kept in self._timers if not kept.is_cancelled}
            self._drop_at = max(_FEW, 2 * len(self._timers))
        self._arm(timer)
        return timer

    def _arm(self, timer: Timer) -> None:
        timer.scheduled = self._call_later(max(timer.due_ms - self._now_ms(), 0) / 1_000, lambda: self._due(timer))

    def _due(self, timer: Timer) -> None:
        due_ms = timer.due_ms
        if timer.every_ms is None:
            self._timers.discard(timer)
        else:
            now_ms = self._now_ms()
            if due_ms - now_ms > _EARLIEST_MS:
                due_ms = now_ms  # The clock was set back: the rhythm begins anew.
            beats = 1 + max(0, now_ms - due_ms) // timer.every_ms
            timer.due_ms = due_ms + beats * timer.every_ms
            self._arm(timer)
        if not timer.is_waiting:
            timer.is_waiting = True
            self._fire(timer, due_ms)

    def _now_ms(self) -> int:
        return self._now_ns() // NS_PER_MS


def finite_ms(ms: Ms) -> Ms:
    """Return a time as it is: an event loop whose calls are due at no number calls nobody in order any more.

    Raises:
        ValueError: it is not a finite number.
    """
    if not isfinite(ms):
        raise ValueError(f"{ms} ms is no time to wait: it must be a finite number")
    return ms


class StrategyClock:
    """The only clock that a strategy should use: the wall clock when live, virtual time in a test."""

    def __init__(self, now_ns: Clock, call_later: CallLater) -> None:
        self._now_ns = now_ns
        self._call_later = call_later

    def now_ns(self) -> int:
        """Return the time since the Unix epoch in ns."""
        return self._now_ns()

    def now_ms(self) -> int:
        """Return the time since the Unix epoch in ms."""
        return self._now_ns() // NS_PER_MS

    async def sleep(self, ms: float) -> None:
        """Wait on this clock. The strategy's other events wait meanwhile, so prefer a timer.

        Raises:
            ValueError: `ms` is not a finite number.
        """
        finite_ms(ms)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wake_up = self._call_later(ms / 1_000, lambda: None if over.done() else over.set_result(None))
        try:
            await over
        finally:
            wake_up.cancel()
