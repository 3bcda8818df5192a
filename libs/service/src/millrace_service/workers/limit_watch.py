"""The limits of a worker's process: what it uses is measured until it goes beyond one of them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, NoReturn

from millrace_core.errors import MillraceError
from millrace_service.agent import UnitLimits
from millrace_service.workers.fork_server import WorkerHandle
from millrace_service.workers.scheduling import Scheduling
from millrace_service.workers.usage import ProcessUsage

WATCH_EVERY_S: Final = 0.2
_OWN_STALL_S: Final = 1.0
"""A watch that comes so late says nothing about the one that it watches."""
START_LIMIT_S: Final = 20.0
"""How long a unit's start may keep the event loop: importing a strategy's libraries takes seconds."""
_STACK_LIMIT_S: Final = 0.5
_STACK_LINES: Final = 12


class LimitExceeded(MillraceError):
    """A worker's process went beyond its limits; it has to be killed."""

    def __init__(self, cause: str, stack: str | None = None) -> None:
        super().__init__(cause)
        self.stack = stack
        """Where its event loop stood still, as Python's traceback."""


class LimitWatch:
    """Watches one process, whose reports are noted by `reported`."""

    def __init__(self, handle: WorkerHandle, limits: Callable[[], UnitLimits]) -> None:
        self.usage = ProcessUsage(handle.pid)
        self.scheduling = Scheduling(self.usage)
        self.is_starting = True
        """Whether the process has not reported on a unit yet: until then it may be loading what the unit needs."""
        self.reported_at = monotonic()
        """When the last report came; before the first, when the watch began."""
        self._handle, self._limits = handle, limits

    def reported(self, *, on_units: bool) -> None:
        """Note that the process has sent a report."""
        self.reported_at = monotonic()
        self.is_starting = self.is_starting and not on_units

    async def exceeded(self) -> NoReturn:
        """Measure until the process goes beyond a limit.

        Raises:
            LimitExceeded: it does.
        """
        usage, reported_at, cpu_s, watched_at = self.usage, self.reported_at, 0.0, monotonic()
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            usage.measure()
            if self._limits().stops and not self.is_starting:
                self.scheduling.decide()
            if usage.memory_mb > self._limits().memory_mb:
                limit = f"{self._limits().memory_mb:g} MB"
                raise LimitExceeded(f"used {usage.memory_mb:g} MB of memory; its limit is {limit}")
            if reported_at != self.reported_at:
                reported_at, cpu_s = self.reported_at, usage.cpu_s
            now = monotonic()
            # If this process stood still itself, reports wait to be read.
            if now - watched_at < _OWN_STALL_S:
                await self._check_stall(now - reported_at, usage.cpu_s - cpu_s)
            watched_at = now

    async def _check_stall(self, silent_s: float, used_s: float) -> None:
        limit_s = self._limits().stall_s
        if self.is_starting:
            limit_s = max(limit_s, START_LIMIT_S)
        # A process that waits for its turn on a busy machine does not stand still.
        if silent_s > limit_s and (not self.usage.is_runnable or used_s > limit_s / 2):
            stack = await _stack_of(self._handle)
            where = f" in {_innermost(stack)}" if stack else ""
            raise LimitExceeded(f"its event loop stood still for {silent_s:.1f} s{where}", stack)


async def _stack_of(handle: WorkerHandle) -> str:
    """Return where a process stands, the newest call first; an empty text if it does not say."""
    handle.ask_for_stack()
    before, stack = None, ""
    with suppress(TimeoutError):
        async with asyncio.timeout(_STACK_LIMIT_S):
            # Written piece by piece, and the kernel announces no contents of a file: it is whole once it grows no more.
            while not stack or stack != before:
                await asyncio.sleep(0.02)
                before, stack = stack, handle.stack()
    return "\n".join(stack.splitlines()[: _STACK_LINES + 1])


def _innermost(stack: str) -> str:
    """Return the newest call of a stack: `File "x.py", line 12 in on_book`."""
    return next((line.strip() for line in stack.splitlines() if line.strip().startswith("File ")), "an unknown place")
