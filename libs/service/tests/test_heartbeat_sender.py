"""The heartbeat on its way to Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from millrace_bus import Bus, EmbeddedServer
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import AgentId
from millrace_service.agent_health import HealthCollector
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.heartbeat_sender import HeartbeatSender
from millrace_service.status import AgentStatus

PATIENCE_S = 60


class Beating:
    """A heartbeat sender that runs, with one unit."""

    def __init__(self, bus: Bus) -> None:
        self.due = asyncio.Event()
        self.health = UnitHealthReporter("unit", changed=self.due.set, errors=ErrorLog())
        status = AgentStatus("tiny", AgentId("TINY"), ErrorLog(), self.due.set)
        self.task = asyncio.create_task(
            HeartbeatSender(bus, HealthCollector(status, lambda: [self.health], list), self.due).run()
        )
        self._bus = bus

    async def counts(self, messages: int) -> Heartbeat:
        """Wait for the heartbeat that shows this many messages."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for beat in await self._bus.heartbeats():
                    if beat.units[0].counters.get("messages") == messages:
                        return beat
                await asyncio.sleep(0.02)  # Redis announces no contents, so that there is nothing to wait for


@pytest.fixture
async def beating(bus: Bus) -> AsyncIterator[Beating]:
    """A running sender; ended after the test."""
    beating = Beating(bus)
    yield beating
    beating.task.cancel()
    await asyncio.wait({beating.task})


async def logged(lines: Sequence[Any], number: int) -> None:
    """Wait until so many lines were logged."""
    async with asyncio.timeout(PATIENCE_S):
        while len(lines) < number:
            await asyncio.sleep(0.02)


async def test_a_change_is_sent_at_once_with_all_that_came_with_it(beating: Beating) -> None:
    """Many changes in a row make one heartbeat with the last of them, long before the next was due."""
    async with asyncio.timeout(2):
        await asyncio.sleep(0.3)  # past the first heartbeat
        for number in range(100):
            beating.health.count("messages")
            beating.health.state("stale", f"reason {number}")
        beat = await beating.counts(100)
    assert (beat.units[0].state, beat.units[0].detail) == ("stale", "reason 99")


async def test_an_outage_is_said_once_and_its_end_once(beating: Beating, server: EmbeddedServer) -> None:
    """While Redis is away the log has one line, and one more when it is back; the heartbeat is current then."""
    with capture_logs() as lines:
        await server.kill()
        beating.health.error("to be sent")
        await logged(lines, 1)
        beating.health.count("messages", 7)
        await server.restart()
        await beating.counts(7)
        await logged(lines, 2)
    assert [line["event"].partition(";")[0] for line in lines] == [
        "Redis does not accept heartbeats",
        "Redis accepts heartbeats again",
    ]
    assert "127.0.0.1" in lines[0]["reason"]


async def test_a_busy_event_loop_does_not_hold_the_heartbeat_back(bus: Bus) -> None:
    """Hundreds of units are asked for their health in a few turns of the loop, however long each turn takes."""
    units = [UnitHealthReporter(f"unit {n}", changed=lambda: None, errors=ErrorLog()) for n in range(300)]
    status = AgentStatus("tiny", AgentId("BUSY"), ErrorLog(), lambda: None)

    async def keep_busy() -> None:
        while True:
            time.sleep(0.02)  # noqa: ASYNC251 (a message is handled)
            await asyncio.sleep(0)

    sender = HeartbeatSender(bus, HealthCollector(status, lambda: units, list), asyncio.Event())
    tasks = [asyncio.create_task(keep_busy()), asyncio.create_task(sender.run())]
    async with asyncio.timeout(4):
        while not await bus.heartbeats():
            await asyncio.sleep(0.02)  # a heartbeat is a key that tells nobody of its change
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
