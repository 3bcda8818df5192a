"""What runs in a worker: the agent's units, supervised as in the agent's own process, and their reports."""

import asyncio
import pickle
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import structlog
import uvloop

from millrace_bus import Bus
from millrace_service import redaction
from millrace_service.agent import Agent, stopped_in_time
from millrace_service.errors import describe, traceback_of
from millrace_service.garbage import spare_what_stands
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.logs import configure_logging
from millrace_service.settings import Settings
from millrace_service.supervisor import Supervisor
from millrace_service.tasks import first_of
from millrace_service.workers.connection import (
    UnitRecord,
    WantedUnits,
    WorkerConnection,
    WorkerReport,
    WorkerStart,
)

REPORT_EVERY_S: Final = 1.0
DEBOUNCE_S: Final = 0.01
"""Changes come in bursts: one report has them all."""

log = structlog.get_logger()


def run_worker(connected: socket.socket) -> None:
    """Run units until the agent closes the connection."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(connected))


async def _run(connected: socket.socket) -> None:
    spare_what_stands()
    connection = await WorkerConnection.over(connected)
    # The agent may end, or be configured differently, before it has said what there is to do.
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        start: WorkerStart = await connection.from_agent()
        settings = start.settings
        agent: Agent[Any, Any] = pickle.loads(start.agent)  # noqa: S301 - our own process's
        about = {"service": agent.kind, "agent": settings.agent_id, "worker": start.name}
        configure_logging(settings.log_level, settings.log_format, about=about)
        await Worker(start.name, agent, settings, connection).run()


class Worker:
    """Runs the units that the agent asks for, and reports."""

    def __init__(self, name: str, agent: Agent[Any, Any], settings: Settings, connection: WorkerConnection) -> None:
        self._name, self._agent, self._settings, self._connection = name, agent, settings, connection
        self._due = asyncio.Event()
        self._errors = ErrorLog()
        self._reported_errors = 0
        self._reported: dict[str, UnitRecord] = {}
        self._earlier: Mapping[str, UnitRecord] = {}
        self._supervisor: Supervisor[Any] = Supervisor(
            self._agent.run_unit,
            changed=self._due.set,
            errors=self._errors,
            reporter=self._reporter,
            replace=self._agent.replace_unit,
        )

    async def run(self) -> None:
        """Run until the agent closes the connection, or what the units share cannot be acquired."""
        name = f"{self._agent.kind}-{self._settings.agent_id}-{self._name}"
        async with Bus.connect(self._settings.redis_url, name=name, egress=self._settings.egress) as bus:
            try:
                await self._agent.started(bus)
                await first_of(self._take_wanted(), self._keep_reporting())
            except (asyncio.IncompleteReadError, ConnectionError):
                log.debug("the agent has closed the connection")
            except Exception as error:
                log.exception("a worker failed", cause=describe(error), exc_info=traceback_of(error))
                with suppress(ConnectionError):
                    await self._connection.send(WorkerReport(failure=describe(error)))
            finally:
                await self._supervisor.stop()
                await stopped_in_time(self._agent)

    def _reporter(self, name: str) -> UnitHealthReporter:
        health = UnitHealthReporter(name, changed=self._due.set, errors=self._errors)
        if (earlier := self._earlier.get(name)) is not None:
            health.go_on_from(earlier.health.counters, earlier.latencies)
        return health

    async def _take_wanted(self) -> None:
        while True:
            wanted: WantedUnits = await self._connection.from_agent()
            redaction.learn(wanted.secrets)
            self._earlier = wanted.earlier
            self._supervisor.want(wanted.units)
            for name in wanted.restart:
                self._supervisor.restart(name)

    async def _keep_reporting(self) -> None:
        while True:
            self._due.clear()
            await self._connection.send(self._report())
            await asyncio.sleep(DEBOUNCE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(REPORT_EVERY_S):
                    await self._due.wait()

    def _report(self) -> WorkerReport:
        changed: list[UnitRecord] = []
        for reporter in self._supervisor.reporters():
            latencies = {hop: histogram.buckets for hop, histogram in reporter.histograms.items()}
            record = UnitRecord(reporter.report(), latencies)
            if record != self._reported.get(reporter.name):
                self._reported[reporter.name] = record
                changed.append(record)
        errors, self._reported_errors = self._errors.since(self._reported_errors)
        return WorkerReport(changed, errors)
