"""An agent's whole life within one event loop: its units, its configuration, its heartbeat, its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from millrace_bus import Bus, BusError
from millrace_service.agent import Agent, ConfigT, UnitConfigT
from millrace_service.config_follower import ConfigFollower
from millrace_service.errors import describe
from millrace_service.health import ErrorLog
from millrace_service.pulse import Pulse
from millrace_service.settings import Settings
from millrace_service.status import AgentStatus
from millrace_service.supervisor import Supervisor

LAST_WORDS_S: Final = 0.5
"""How long Redis may take to hear that the agent ended."""
RELEASE_S: Final = 1.0
"""How long an agent's `stopped` may take."""

log = structlog.get_logger()


async def run_agent(agent: Agent[ConfigT, UnitConfigT], settings: Settings, *, stop: asyncio.Event) -> None:
    """Run an agent until `stop` is set, then end everything in order: units, what they share, heartbeat, bus.

    Neither signals nor logging are touched, so several agents may run in one process, as tests do.
    Cancelling it ends everything in the same order.

    Raises:
        Exception: whatever the agent's `started` or `stopped` raised.
    """
    async with Bus.connect(settings.redis_url, name=f"{agent.kind}-{settings.agent_id}") as bus:
        due = asyncio.Event()
        errors = ErrorLog()
        status = AgentStatus(agent.kind, settings.agent_id, errors, due.set)
        supervisor = Supervisor(agent.run_unit, changed=due.set, errors=errors)
        follower = ConfigFollower(agent, settings.agent_id, settings.secret_key, supervisor, status)
        pulse = asyncio.create_task(Pulse(bus, status, supervisor.reporters, due).run(), name="pulse")
        try:
            await _until(stop, _work(agent, bus, supervisor, follower), pulse)
        finally:
            await _cancelled(pulse)
            await _last_words(bus, settings)


async def _work(
    agent: Agent[ConfigT, UnitConfigT], bus: Bus, supervisor: Supervisor[UnitConfigT], follower: ConfigFollower
) -> None:
    try:
        await agent.started(bus)
        log.info("agent started", kind=agent.kind)
        await follower.run(bus)
    finally:
        await supervisor.stop()
        await _released(agent)
        log.info("agent ended", kind=agent.kind)


async def _released(agent: Agent[Any, Any]) -> None:
    try:
        async with asyncio.timeout(RELEASE_S):
            await agent.stopped()
    except TimeoutError:
        log.error("what the units shared was not let go of in time", limit_s=RELEASE_S)  # noqa: TRY400


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None], pulse: "asyncio.Task[None]") -> None:
    """Do the work until told to stop, or until it or the pulse fails."""
    working = asyncio.create_task(work, name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, stopping, pulse}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await _cancelled(working)
    for task in (working, pulse):
        if task.done() and not task.cancelled():
            task.result()


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end; how it ended is for others to ask."""
    task.cancel()
    await asyncio.wait({task})


async def _last_words(bus: Bus, settings: Settings) -> None:
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await bus.end_heartbeat(settings.agent_id)
    except (BusError, TimeoutError) as error:
        log.debug("Redis was not told of the end; the heartbeat expires by itself", reason=describe(error))
