"""A worker as the agent sees it: started, told what to run, watched, ended."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, NoReturn

import structlog

from millrace_bus import Bus
from millrace_core.backoff import BackoffPolicy
from millrace_core.errors import MillraceError
from millrace_core.heartbeat import WorkerHealth, WorkerState
from millrace_core.json_problems import UNREADABLE
from millrace_service.agent import Agent, UnitLimits
from millrace_service.errors import describe
from millrace_service.health import ErrorLog
from millrace_service.settings import Settings
from millrace_service.tasks import run_all
from millrace_service.workers.connection import WantedUnits, WorkerConnection, WorkerReport, WorkerStart
from millrace_service.workers.fork_server import ForkServer, WorkerHandle
from millrace_service.workers.limit_watch import LimitExceeded, LimitWatch
from millrace_service.workers.remote_unit import RemoteUnit

RETRIES: Final = BackoffPolicy(first_s=0.1, limit_s=30.0)
"""The pauses before a worker that ended is started again."""
END_LIMIT_S: Final = 4.2
"""How long a worker may take to end in order: its units' limit and that of what they share."""
_LAST_REPORTS_S: Final = 0.2
"""How long the last reports of a process that has ended are waited for."""

log = structlog.get_logger()


class WorkerEnded(MillraceError):
    """A worker's process ended by itself, or was killed."""


@dataclass(frozen=True)
class AgentParts:
    """What all workers of an agent need of it."""

    agent: Agent[Any, Any]
    unstarted: bytes
    """The agent as it was before it started, pickled."""
    settings: Settings
    bus: Bus
    fork_server: ForkServer
    errors: ErrorLog
    changed: Callable[[], None]
    """Has a heartbeat sent soon."""


class WatchedWorker:
    """Keeps a process that runs the wanted units, until `run` is cancelled."""

    def __init__(self, name: str, parts: AgentParts, limits: UnitLimits) -> None:
        self.name = name
        self.limits = limits
        self.units: dict[str, RemoteUnit] = {}
        self._parts = parts
        self._wanted: dict[str, Any] = {}
        self._secrets: tuple[str, ...] = ()
        self._restart: set[str] = set()
        self._given_up: set[str] = set()
        """Units that stopped for good; no later process runs them until they are changed or restarted."""
        self._news = asyncio.Event()
        self._news_at = 0.0
        self._state: WorkerState = "starting"
        self._detail: str | None = None
        self._pid: int | None = None
        self._watch: LimitWatch | None = None
        """That of the process, until it has ended."""
        self._started = 0
        self._failure: str | None = None

    @property
    def cpu_percent(self) -> float:
        """What its process uses, of one core."""
        return self._watch.usage.cpu_percent if self._watch is not None else 0.0

    @property
    def has_failed(self) -> bool:
        """Whether its process has ended and a pause is made before the next one."""
        return self._state == "failed"

    def want(self, units: Mapping[str, Any], limits: UnitLimits, secrets: tuple[str, ...]) -> bool:
        """Run exactly these units from now on; return whether that is a change."""
        self.limits, self._secrets = limits, secrets
        if units == self._wanted:
            return False
        self._given_up = {name for name in self._given_up if units.get(name) == self._wanted[name]}
        self._wanted = dict(units)
        self.units = {name: self.units.get(name) or RemoteUnit(name, self.name) for name in units}
        self._note_news()
        return True

    def restart(self, unit: str) -> None:
        """Run a unit afresh; a stopped worker is started again."""
        self._given_up.discard(unit)
        self._restart.add(unit)
        self._note_news()

    def health(self) -> WorkerHealth:
        """Return the worker's part of the heartbeat."""
        return WorkerHealth(
            name=self.name,
            state=self._state,
            units=len(self.units),
            pid=self._pid,
            memory_mb=self._watch.usage.memory_mb if self._watch is not None else 0.0,
            cpu_percent=self.cpu_percent,
            replaced=max(0, self._started - 1),
            detail=self._detail,
        )

    async def run(self) -> NoReturn:
        """Keep the process until cancelled, unless its unit has to stay stopped: then wait for another configuration.

        Raises:
            WorkerEnded, LimitExceeded, ForkFailed: there is no process; run again.
            ForkServerEnded: no process can be started any more.
        """
        while True:
            try:
                await self._keep_process()
            except Exception as error:
                watch, self._watch = self._watch, None
                stops = isinstance(error, LimitExceeded) and self.limits.stops
                if watch is None or watch.is_starting or not stops:
                    self._ended("failed", error)
                    raise
                await self._stopped(error, known_at=watch.reported_at)

    async def _stopped(self, error: Exception, known_at: float) -> None:
        """Leave the unit stopped until something else is wanted than what the process knew."""
        self._ended("stopped", error)
        log.error("unit stopped for exceeding its limits", unit=self.name, cause=str(error))
        for name, config in self._wanted.items():
            try:
                await self._parts.agent.unit_stopped(self._parts.bus, name, config)
            except Exception as failure:
                self._parts.errors.add(self._where, f"cleaning up after it failed: {describe(failure)}")
                log.exception("cleaning up after a stopped unit failed", unit=name)
        while self._news_at <= known_at:
            self._news.clear()
            await self._news.wait()

    def _note_news(self) -> None:
        self._news_at = monotonic()
        self._news.set()

    @property
    def _where(self) -> str:
        """The name of its errors: its unit's, so that the unit's tenant sees them, or its own."""
        return self.name if self.name in self.units else f"worker {self.name}"

    def _ended(self, state: WorkerState, error: Exception) -> None:
        cause = describe(error)
        self._set(state, cause)
        self._pid = None
        for unit in self.units.values():
            if unit.state == "stopped":
                self._given_up.add(unit.name)
            else:
                unit.end("failed" if state == "failed" else "stopped", cause)
        stack = error.stack if isinstance(error, LimitExceeded) else None
        if stack:
            log.error("a worker's event loop stood still", worker=self.name, stack=stack)
        self._parts.errors.add(self._where, f"worker ended: {cause}", stack)
        self._parts.changed()

    async def _keep_process(self) -> None:
        handle = await self._parts.fork_server.fork()
        connection: WorkerConnection | None = None
        self._pid, self._watch = handle.pid, LimitWatch(handle, lambda: self.limits)
        self._started += 1
        self._failure = None
        self._set("starting", self._detail)
        for name, unit in self.units.items():
            if name not in self._given_up:
                unit.start()
        try:
            connection = await WorkerConnection.over(handle.connection)
            await run_all(
                self._send_wanted(connection),
                self._receive_reports(connection, self._watch),
                self._watch.exceeded(),
                self._notice_end(handle),
            )
        except asyncio.CancelledError:
            if connection is not None:
                await self._end_in_order(connection, handle)
            raise
        finally:
            handle.kill()
            await handle.ended
            if connection is not None:
                connection.close()
            handle.close()

    async def _end_in_order(self, connection: WorkerConnection, handle: WorkerHandle) -> None:
        connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_LIMIT_S):
                await asyncio.shield(handle.ended)
                return
        log.error("a worker did not end and is killed", worker=self.name, limit_s=END_LIMIT_S)
        self._parts.errors.add(self._where, f"the worker did not end within {END_LIMIT_S:g} s and was killed")

    async def _send_wanted(self, connection: WorkerConnection) -> NoReturn:
        """Tell the worker what to run, now and whenever it changes."""
        parts = self._parts
        with suppress(ConnectionError):  # `_notice_end` finds out how it ended
            await connection.send(WorkerStart(self.name, parts.unstarted, parts.settings))
            while True:
                self._news.clear()
                earlier = {name: unit.record for name, unit in self.units.items()}
                restart, self._restart = frozenset(self._restart), set()
                wanted = {name: config for name, config in self._wanted.items() if name not in self._given_up}
                await connection.send(WantedUnits(wanted, earlier, restart, self._secrets))
                await self._news.wait()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def _receive_reports(self, connection: WorkerConnection, watch: LimitWatch) -> NoReturn:
        """Take the worker's reports until it ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # `_notice_end` finds out how it ended
            while True:
                try:
                    report = await connection.from_worker()
                except UNREADABLE as error:
                    raise WorkerEnded(f"its report cannot be read: {error}") from error
                watch.reported(on_units=bool(report.units))
                self._take(report)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def _take(self, report: WorkerReport) -> None:
        self._failure = report.failure or self._failure
        for record in report.units:
            if (unit := self.units.get(record.health.name)) is not None:
                unit.take(record)
        for error in report.errors:
            self._parts.errors.add_report(error)
        if self._failure is None:
            self._set("live", None)
        if report.units or report.errors:
            self._parts.changed()

    async def _notice_end(self, handle: WorkerHandle) -> NoReturn:
        """Wait for the end of the process, however it comes."""
        status = await asyncio.shield(handle.ended)
        await asyncio.sleep(_LAST_REPORTS_S)
        raise WorkerEnded(self._failure or _how_it_ended(status))

    def _set(self, state: WorkerState, detail: str | None) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._parts.changed()


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"its process ended with exit code {code}; its log says why"
    return f"its process was killed by signal {-code} ({signal.Signals(-code).name})"
