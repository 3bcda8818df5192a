"""An agent's whole life within one event loop: its units, its configuration, its heartbeat, its end."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog

from millrace_bus import Bus
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S
from millrace_service.agent import Agent, ConfigT, UnitConfigT, stopped_in_time
from millrace_service.agent_health import HealthCollector
from millrace_service.agent_units import AgentUnits
from millrace_service.config_follower import ConfigFollower
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.heartbeat_sender import HeartbeatSender
from millrace_service.restarts import follow_restarts
from millrace_service.settings import Settings
from millrace_service.status import AgentStatus
from millrace_service.supervisor import Supervisor
from millrace_service.tasks import first_of
from millrace_service.unit import Unit
from millrace_service.workers.fork_server import ForkServer
from millrace_service.workers.watched_worker import AgentParts

_OWN_WORK: Final = BackoffPolicy(limit_s=HEARTBEAT_INTERVAL_S)

log = structlog.get_logger()


async def run_agent(
    agent: Agent[ConfigT, UnitConfigT],
    settings: Settings,
    *,
    stop: asyncio.Event,
    fork_server: ForkServer | None = None,
) -> None:
    """Run an agent until `stop` is set, then end everything in order: units, what they share, heartbeat, bus.

    Without a fork server all units run in this process, whatever the configuration says.

    Neither signals nor logging are touched, so several agents may run in one process, as tests do.
    Cancelling it ends everything in the same order.

    Raises:
        Exception: whatever the agent's `started` or `stopped` raised.
        ForkServerEnded: the fork server has ended, and its workers with it.
    """
    async with Bus.connect(settings.redis_url, name=f"{agent.kind}-{settings.agent_id}", egress=settings.egress) as bus:
        due = asyncio.Event()
        errors = ErrorLog()
        status = AgentStatus(agent.kind, settings.agent_id, errors, due.set)
        parts: AgentParts | None = None
        if fork_server is not None:
            # As it is now, before it has started: each worker starts a copy of its own.
            unstarted = pickle.dumps(agent)
            parts = AgentParts(agent, unstarted, settings, bus, fork_server, errors, due.set)
        units = AgentUnits(
            partial(Supervisor, agent.run_unit, changed=due.set, errors=errors, replace=agent.replace_unit), parts
        )
        health = HealthCollector(status, units.reporters, units.workers)
        sender = HeartbeatSender(bus, health, due)
        follower = ConfigFollower(agent, settings.agent_id, settings.secret_key, units, status)
        own_work = partial(UnitHealthReporter, changed=due.set, errors=errors)
        async with _kept(sender.run, own_work("heartbeat")):
            own = [
                partial(_kept, partial(follower.run, bus), own_work("configuration")),
                partial(_kept, partial(follow_restarts, bus, settings.agent_id, units), own_work("restarts")),
                partial(_kept, partial(agent.own_work, bus, settings.agent_id), own_work("own work")),
            ]
            if settings.metrics_port is not None:
                # Imported only where it is wanted: it takes 50 ms of a start.
                from millrace_service.metrics.server import serve

                serving = partial(
                    serve, settings.metrics_host, settings.metrics_port, health.collect, agent.own_metrics
                )
                own.append(partial(_kept, serving, own_work("metrics")))
            failing = () if fork_server is None else (fork_server.watch(),)
            await first_of(_work(agent, bus, units, own), stop.wait(), *failing)


async def _work(
    agent: Agent[Any, Any],
    bus: Bus,
    units: AgentUnits,
    own: Sequence[Callable[[], AbstractAsyncContextManager[None]]],
) -> None:
    try:
        await agent.started(bus)
        log.info("agent started", kind=agent.kind)
        async with AsyncExitStack() as running:
            for part in own:
                await running.enter_async_context(part())
            await asyncio.Event().wait()
    finally:
        await units.stop()
        await stopped_in_time(agent)
        log.info("agent ended", kind=agent.kind)


@asynccontextmanager
async def _kept(run: Callable[[], Awaitable[None]], health: UnitHealthReporter) -> AsyncIterator[None]:
    """Keep a part of the agent itself running while the context lasts; like a unit, it is run again after a failure."""
    unit = Unit(lambda *_: run(), None, health, Backoff(_OWN_WORK))
    try:
        yield
    finally:
        unit.stop()
        await asyncio.wait({unit.task})
