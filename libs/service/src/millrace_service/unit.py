"""One unit of work, kept running: started, restarted after failures and changes, stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import structlog

from millrace_bus.tasks import failure_of
from millrace_core.backoff import Backoff
from millrace_core.errors import MillraceError
from millrace_service.errors import UnitEnded, describe, traceback_of
from millrace_service.health import UnitHealthReporter

STOP_LIMIT_S: Final = 3.0
"""How long a cancelled unit may take to clean up; then its successor starts without it."""

UnitConfigT = TypeVar("UnitConfigT")
RunUnit = Callable[[str, UnitConfigT, UnitHealthReporter], Awaitable[None]]
ReplaceUnit = Callable[[str, UnitConfigT], Awaitable[bool]]
"""Has running work go on with another configuration; returns False if it has to be started anew for that."""

log = structlog.get_logger()


class Unit(Generic[UnitConfigT]):
    """Keeps one unit's work running with the newest wanted configuration, until `stop`.

    At most one run of the work is alive at a time, unless one did not end within `stop_limit_s`.
    """

    def __init__(
        self,
        run: RunUnit[UnitConfigT],
        config: UnitConfigT,
        health: UnitHealthReporter,
        backoff: Backoff,
        stop_limit_s: float = STOP_LIMIT_S,
        replace: ReplaceUnit[UnitConfigT] | None = None,
    ) -> None:
        self.health = health
        self.config = config
        """The wanted configuration; the running work is restarted with it as soon as it has ended."""
        self.stopping = False
        self._run = run
        self._replace = replace
        self._backoff = backoff
        self._stop_limit_s = stop_limit_s
        self._changed = asyncio.Event()
        self._cause: str | None = None
        self.task = asyncio.create_task(self._keep(), name=f"unit {health.name}")

    def want(self, config: UnitConfigT) -> None:
        """Run with this configuration from now on, even if the unit was about to stop."""
        self.config = config
        self.stopping = False
        self._changed.set()

    def stop(self) -> None:
        """End the work; `task` is done when it has ended."""
        self.stopping = True
        self._changed.set()

    async def _keep(self) -> None:
        structlog.contextvars.bind_contextvars(unit=self.health.name)
        while not self.stopping:
            self._changed.clear()
            self.health.state("starting", self._cause and f"again, after {self._cause}")
            work = asyncio.create_task(self._work(), name=self.health.name)
            await self._ended_or_changed(work)
            while not work.done() and not self.stopping and await self._goes_on(work):
                await self._ended_or_changed(work)
            if work.done():
                await self._changed_within(self._failed(work))
            else:
                await self._end(work)
        self.health.state("stopped")

    async def _goes_on(self, work: "asyncio.Task[None]") -> bool:
        """Have the work go on with what is wanted now, or run afresh by itself; return False if it must be ended.

        Another change that comes meanwhile, or the work's end, breaks it off; then it is decided anew.
        """
        if self._replace is None:
            return False
        self._changed.clear()
        replacing = asyncio.ensure_future(self._replace(self.health.name, self.config))
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({work, replacing, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            replacing.cancel()
            await asyncio.wait({replacing})
        if replacing.cancelled():
            return True
        return replacing.result()

    async def _work(self) -> None:
        # In a coroutine of its own, so that a `run` that raises before it returns a coroutine fails the unit too.
        try:
            await self._run(self.health.name, self.config, self.health)
        except SystemExit as exit_:
            # A strategy's constructor may call `sys.exit`; an event loop that sees it ends with all other units.
            raise UnitEnded(f"its work called sys.exit({exit_.code!r})") from exit_

    async def _ended_or_changed(self, work: "asyncio.Task[None]") -> None:
        changed = asyncio.create_task(self._changed.wait())
        try:
            either: set[asyncio.Task[Any]] = {work, changed}
            healthy_after = self._backoff.policy.healthy_after_s if self._backoff.failures else None
            done, _ = await asyncio.wait(either, timeout=healthy_after, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._recovered()
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()

    async def _changed_within(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _end(self, work: "asyncio.Task[None]") -> None:
        work.cancel()
        await asyncio.wait({work}, timeout=self._stop_limit_s)
        if not work.done():
            self.health.error(f"it did not stop within {self._stop_limit_s:g} s and was abandoned")
            log.error("unit does not stop; abandoned", limit_s=self._stop_limit_s)
        elif error := failure_of(work):
            self.health.error(error)
            log.error("unit failed while stopping", cause=describe(error), exc_info=traceback_of(error))

    def _failed(self, work: "asyncio.Task[None]") -> float:
        error = _why(work)
        cause = describe(error)
        asked_s = error.retry_after_s if isinstance(error, MillraceError) else 0.0
        pause_s = self._backoff.failed(at_least_s=asked_s)
        self.health.count("failures")
        self.health.error(error)
        self.health.state("failed", cause)
        # A lasting cause is in the heartbeat; the log says it once.
        report = log.debug if cause == self._cause else log.error
        self._cause = cause
        report("unit failed; restarting", cause=cause, pause_s=round(pause_s, 1), exc_info=traceback_of(error))
        return pause_s

    def _recovered(self) -> None:
        log.info("unit recovered", failures=self._backoff.failures)
        self._backoff.recovered()
        self._cause = None


def _why(work: "asyncio.Task[None]") -> BaseException:
    return failure_of(work) or UnitEnded("its work ended without being stopped")
