"""An agent from its start to its end, on a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.agents import configs
from millrace_bus.tasks import CancelledInside
from millrace_core.backoff import BackoffPolicy
from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, MillraceError, Problem
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import AgentId, config_key
from millrace_service import Agent, Settings, UnitHealthReporter, config_follower, run_agent

ID = AgentId("TINY")
PATIENCE_S = 60
BANNED = -60
"""The number of a unit that fails, and is to wait for a minute."""


class Banned(MillraceError):
    """An exchange asks for a long pause."""

    retry_after_ms = 60_000


class TinyConfig(BaseConfig):
    """Units by name with a number each; a negative one fails."""

    units: dict[str, int] = {}


class TinyAgent(Agent[TinyConfig, int]):
    """Remembers what happened to it."""

    kind = "tiny"
    config_model = TinyConfig

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.fails: BaseException | None = None
        self.own_work_of: list[AgentId] = []
        self.own_work_fails = False
        self.unlucky = 13
        self.check_began, self.check_ends = asyncio.Event(), asyncio.Event()
        self.check_ends.set()
        self.outside: dict[str, int] = {}
        self.news = asyncio.Event()
        self._learned: dict[str, int] = {}

    async def learn(self, config: TinyConfig) -> None:
        """Learn the units that are named elsewhere."""
        self._learned = dict(self.outside)

    async def outdated(self) -> None:
        """Wait until other units are named elsewhere."""
        await self.news.wait()
        self.news.clear()

    def units(self, config: TinyConfig) -> Mapping[str, int]:
        """Return the units; a configuration of `environment` defect meets a defect of this agent."""
        if config.environment == "defect":
            raise KeyError("forgotten")
        return config.units | self._learned

    async def check(self, units: Mapping[str, int]) -> None:
        """Find units with the unlucky number wrong."""
        if units:
            self.check_began.set()
            await self.check_ends.wait()
        if wrong := [key for key, number in units.items() if number == self.unlucky]:
            raise ConfigInvalid(tuple(Problem(f"$.units.{key}", "is unlucky") for key in wrong))

    async def own_work(self, bus: Bus, agent_id: AgentId) -> None:
        """Note it, and fail the first time."""
        self.own_work_of.append(agent_id)
        if self.own_work_fails:
            self.own_work_fails = False
            raise OSError("no disk")
        await super().own_work(bus, agent_id)

    async def started(self, bus: Bus) -> None:
        """Note it, or fail."""
        self.happened.append("started")
        if self.fails:
            raise self.fails

    async def stopped(self) -> None:
        """Note it."""
        self.happened.append("stopped")

    async def run_unit(self, key: str, unit_config: int, health: UnitHealthReporter) -> None:
        """Live until cancelled."""
        self.happened.append(f"+{key}{unit_config}")
        if unit_config == BANNED:
            raise Banned("come back later")
        if unit_config < 0:
            raise OSError("no route")
        health.state("live")
        health.latency("received→published", 60_000)
        try:
            await asyncio.Event().wait()
        finally:
            self.happened.append(f"-{key}{unit_config}")


class RunningAgent:
    """An agent that runs, and its heartbeat in Redis."""

    def __init__(self, bus: Bus, server: EmbeddedServer) -> None:
        self.agent = TinyAgent()
        self.stop = asyncio.Event()
        self._bus = bus
        settings = Settings(agent_id=ID, redis_url=server.url)
        self.task = asyncio.create_task(run_agent(self.agent, settings, stop=self.stop))

    async def configure(self, units: dict[str, int], **more: Any) -> None:
        """Write a configuration."""
        await self._bus.put_config(ID, json.dumps({"agent": {"id": "TINY"}, "units": units} | more))

    async def shows(self, condition: Callable[[Heartbeat], bool]) -> Heartbeat:
        """Wait until the heartbeat meets a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for heartbeat in await self._bus.heartbeats():
                    if condition(heartbeat):
                        return heartbeat
                await asyncio.sleep(0.02)  # Redis announces no contents, so that there is nothing to wait for

    async def shows_live(self, *names: str) -> Heartbeat:
        """Wait until exactly these units are live."""
        return await self.shows(
            lambda beat: {unit.name: unit.state for unit in beat.units} == dict.fromkeys(names, "live")
        )


@pytest.fixture
async def running(bus: Bus, server: EmbeddedServer) -> AsyncIterator[RunningAgent]:
    """A running agent; ended after the test."""
    running = RunningAgent(bus, server)
    yield running
    running.stop.set()
    await asyncio.wait([running.task])


async def test_without_a_configuration_the_agent_waits(running: RunningAgent) -> None:
    """Without a configuration the heartbeat says `waiting`; work begins as soon as there is one."""
    await running.shows(lambda beat: beat.state == "waiting")
    await running.configure({"a": 1})
    beat = await running.shows_live("a")
    assert (beat.state, beat.kind, beat.id) == ("running", "tiny", "TINY")
    assert beat.config_revision


async def test_a_change_restarts_only_what_it_touches(running: RunningAgent) -> None:
    """One unit is added, one changed, one removed; the fourth keeps running."""
    await running.configure({"a": 1, "b": 1, "c": 1})
    await running.shows_live("a", "b", "c")
    del running.agent.happened[:]
    await running.configure({"a": 1, "b": 2, "d": 1})
    await running.shows_live("a", "b", "d")
    assert sorted(running.agent.happened) == ["+b2", "+d1", "-b1", "-c1"]


async def test_an_invalid_configuration_changes_nothing(running: RunningAgent) -> None:
    """The heartbeat lists every mistake with its path until a correct one comes; the last good one stays in force."""
    await running.configure({"a": 1})
    good = await running.shows_live("a")
    await running.configure({"a": 2}, unknown=1, agent={"id": "TINY", "status": "paused"})
    beat = await running.shows(lambda beat: bool(beat.config_errors))
    assert sorted(problem.path for problem in beat.config_errors) == ["$.agent.status", "$.unknown"]
    assert beat.config_revision == good.config_revision
    assert running.agent.happened == ["started", "+a1"]
    await running.configure({"a": 2})
    await running.shows(lambda beat: not beat.config_errors)
    assert running.agent.happened[-1] == "+a2"


async def test_a_defect_of_the_agent_in_reading_changes_nothing(running: RunningAgent) -> None:
    """An agent that raises while it reads a configuration keeps its units, and reports the error."""
    await running.configure({"a": 1})
    await running.shows_live("a")
    await running.configure({"a": 2}, environment="defect")
    beat = await running.shows(lambda beat: bool(beat.config_errors))
    assert "KeyError" in beat.config_errors[0].message
    assert running.agent.happened == ["started", "+a1"]


async def test_a_mistake_that_takes_time_to_find_changes_nothing_that_runs(running: RunningAgent) -> None:
    """What `check` finds in units that start or restart is reported; the first configuration is not checked."""
    await running.configure({"a": 1})
    good = await running.shows_live("a")
    await running.configure({"a": 1, "b": 13})
    beat = await running.shows(lambda beat: bool(beat.config_errors))
    assert beat.config_errors[0].path == "$.units.b"
    assert beat.config_revision == good.config_revision
    assert [unit.name for unit in beat.units] == ["a"]


async def test_what_is_wrong_with_a_running_unit_keeps_nobody_from_other_changes(running: RunningAgent) -> None:
    """Units that keep running are not checked, and neither is anything when the agent is to stop."""
    await running.configure({"a": 13})
    await running.shows_live("a")
    await running.configure({"a": 13, "b": 1})
    await running.shows_live("a", "b")
    await running.configure({"a": 13, "b": 13}, agent={"id": "TINY", "status": "stopped"})
    beat = await running.shows(lambda beat: beat.state == "stopped" and not beat.units)
    assert beat.config_errors == []


async def test_a_mistake_outside_of_the_configuration_is_looked_for_again(
    running: RunningAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is mended, the configuration that was refused comes into force by itself."""
    monkeypatch.setattr(config_follower, "_RECHECK", BackoffPolicy(first_s=0.1, limit_s=0.2))
    await running.configure({"a": 1})
    await running.shows_live("a")
    await running.configure({"a": 1, "b": 13})
    await running.shows(lambda beat: bool(beat.config_errors))
    running.agent.unlucky = 14
    beat = await running.shows_live("a", "b")
    assert beat.config_errors == []


async def test_what_units_are_made_of_may_change_without_a_configuration(running: RunningAgent) -> None:
    """Then the same one is put in force again: what it does not touch keeps running, a mistake changes nothing."""
    running.agent.outside = {"b": 1}
    await running.configure({"a": 1})
    await running.shows_live("a", "b")
    del running.agent.happened[:]
    running.agent.outside = {"c": 1}
    running.agent.news.set()
    await running.shows_live("a", "c")
    running.agent.outside = {"d": running.agent.unlucky}
    running.agent.news.set()
    await running.shows(lambda beat: bool(beat.config_errors))
    running.agent.outside = {"e": 1}
    running.agent.news.set()
    beat = await running.shows_live("a", "e")
    assert beat.config_errors == []
    assert sorted(running.agent.happened) == ["+c1", "+e1", "-b1", "-c1"]


async def test_a_newer_configuration_ends_the_check_of_an_older_one(running: RunningAgent) -> None:
    """A check that hangs keeps nobody from stopping the agent."""
    await running.configure({"a": 1})
    await running.shows_live("a")
    running.agent.check_ends.clear()
    await running.configure({"a": 1, "b": 1})
    async with asyncio.timeout(PATIENCE_S):
        await running.agent.check_began.wait()
    await running.configure({"a": 1}, agent={"id": "TINY", "status": "stopped"})
    await running.shows(lambda beat: beat.state == "stopped" and not beat.units)
    running.agent.check_ends.set()
    await running.configure({"a": 1, "c": 1})
    await running.shows_live("a", "c")


async def test_a_unit_is_run_afresh_on_request(running: RunningAgent, bus: Bus) -> None:
    """It need not have changed, and the others go on; a request for a unit that does not exist harms nobody."""
    await running.configure({"a": 1, "b": 1})
    await running.shows_live("a", "b")
    del running.agent.happened[:]
    async with asyncio.timeout(PATIENCE_S):
        while not await bus.request_restart(ID, "c"):
            await asyncio.sleep(0.02)
    assert await bus.request_restart(ID, "a")
    async with asyncio.timeout(PATIENCE_S):
        while "+a1" not in running.agent.happened:
            await asyncio.sleep(0.02)
    assert running.agent.happened == ["-a1", "+a1"]
    await running.shows_live("a", "b")


async def test_a_unit_that_waits_after_a_failure_is_run_at_once_on_request(running: RunningAgent, bus: Bus) -> None:
    """Nobody waits for the end of a long pause who has mended the cause."""
    await running.configure({"a": BANNED})
    await running.shows(lambda beat: bool(beat.units) and beat.units[0].state == "failed")
    async with asyncio.timeout(PATIENCE_S):
        while running.agent.happened.count(f"+a{BANNED}") < 2:
            await bus.request_restart(ID, "a")
            await asyncio.sleep(0.02)


async def test_own_work_that_fails_is_done_again(running: RunningAgent) -> None:
    """What an agent does beside its units is kept running as they are, and its errors are reported."""
    running.agent.own_work_fails = True
    beat = await running.shows(lambda beat: bool(beat.last_errors))
    assert (beat.last_errors[0].where, beat.last_errors[0].message) == ("own work", "OSError: no disk")
    async with asyncio.timeout(PATIENCE_S):
        while running.agent.own_work_of != [ID, ID]:
            await asyncio.sleep(0.02)


async def test_stopped_stops_the_work_and_not_the_process(running: RunningAgent) -> None:
    """`agent.status: stopped` ends all units; `started` begins them again."""
    await running.configure({"a": 1})
    await running.shows_live("a")
    await running.configure({"a": 1}, agent={"id": "TINY", "status": "stopped"})
    await running.shows(lambda beat: beat.state == "stopped" and not beat.units)
    assert not running.task.done()
    await running.configure({"a": 1})
    await running.shows_live("a")


async def test_a_configuration_that_is_gone_stays_in_force(
    running: RunningAgent, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting the key stops nothing; the heartbeat says that it is gone."""
    monkeypatch.setattr(configs, "POLL_S", 0.1)  # Redis announces no end of a key
    await running.configure({"a": 1})
    await running.shows_live("a")
    async with Redis.from_url(server.url) as redis:
        await redis.delete(config_key(ID))
    beat = await running.shows(lambda beat: bool(beat.config_errors))
    assert "gone" in beat.config_errors[0].message
    assert running.agent.happened == ["started", "+a1"]


async def test_a_failed_unit_disturbs_no_other(running: RunningAgent) -> None:
    """One unit fails and shows why; its neighbour is live."""
    await running.configure({"a": 1, "b": -1})

    def reported(beat: Heartbeat) -> bool:
        units: dict[str, UnitHealth] = {unit.name: unit for unit in beat.units}
        return len(units) == 2 and units["a"].state == "live" and units["b"].detail == "OSError: no route"

    beat = await running.shows(reported)
    assert beat.last_errors[0].where == "b"
    assert beat.latencies["received→published"]["count"] == 1


async def test_the_agent_lives_through_the_death_of_redis(running: RunningAgent, server: EmbeddedServer) -> None:
    """Units keep running through kill -9 of the server; heartbeat and configuration work again afterwards."""
    await running.configure({"a": 1})
    await running.shows_live("a")
    await server.kill()
    await server.restart()
    await running.configure({"a": 1, "b": 1})
    await running.shows_live("a", "b")
    assert running.agent.happened == ["started", "+a1", "+b1"]


REFUSALS = {
    "maxmemory": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    "read only": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
}
"""By a word of Redis's answer: how it begins to refuse writes, and how it takes them again."""


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_the_agent_lives_while_redis_refuses_writes(
    running: RunningAgent, server: EmbeddedServer, refusal: str
) -> None:
    """Its units keep running, the log says so once, and heartbeats return when Redis takes writes again."""
    begin, end = REFUSALS[refusal]

    def refused() -> list[Any]:
        return [line for line in lines if refusal in str(line) and line["log_level"] in ("warning", "error")]

    await running.configure({"a": 1, "b": -1})
    await running.shows(lambda beat: any(unit.counters.get("failures") for unit in beat.units))
    async with Redis.from_url(server.url) as redis:
        with capture_logs() as lines:
            await redis.execute_command(begin)
            # Unit b fails again and again, so that there is always news to send.
            async with asyncio.timeout(PATIENCE_S):
                while not refused():
                    assert not running.task.done()
                    await asyncio.sleep(0.02)  # the log announces nothing, so that there is nothing to wait for
            await redis.execute_command(end)
            await redis.delete(f"agent.{ID}")
            await running.shows(lambda beat: any(unit.state == "live" for unit in beat.units))
    assert len(refused()) == 1
    assert "-a1" not in running.agent.happened


async def test_a_configuration_that_redis_cannot_return_is_tried_again(
    running: RunningAgent, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of the wrong type ends nothing: the heartbeat reports it, and a correct one is read later."""
    monkeypatch.setattr(configs, "POLL_S", 0.1)  # Redis announces no list
    await running.configure({"a": 1})
    await running.shows_live("a")
    async with Redis.from_url(server.url) as redis:
        await redis.delete(config_key(ID))
        await redis.lpush(config_key(ID), "list")
        await running.shows(lambda beat: any(error.where == "configuration" for error in beat.last_errors))
        await redis.delete(config_key(ID))
    await running.configure({"a": 1, "b": 1})
    await running.shows_live("a", "b")
    assert running.agent.happened == ["started", "+a1", "+b1"]


async def test_a_start_that_is_cancelled_from_inside_has_failed(bus: Bus, server: EmbeddedServer) -> None:
    """An agent whose start is cancelled from inside ends with an error."""
    running = RunningAgent(bus, server)
    running.agent.fails = asyncio.CancelledError()
    with pytest.raises(CancelledInside):
        await running.task


async def test_the_end_comes_in_order(running: RunningAgent, bus: Bus) -> None:
    """The units end first, then what they share; then the heartbeat is removed."""
    await running.configure({"a": 1})
    await running.shows_live("a")
    running.stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await running.task
    assert running.agent.happened == ["started", "+a1", "-a1", "stopped"]
    assert await bus.heartbeats() == []


async def test_a_failed_start_is_raised_after_cleaning_up(bus: Bus, server: EmbeddedServer) -> None:
    """What `started` raised ends the agent; `stopped` was called first."""
    running = RunningAgent(bus, server)
    running.agent.fails = OSError("no disk")
    with pytest.raises(OSError, match="no disk"):
        await running.task
    assert running.agent.happened == ["started", "stopped"]


async def test_an_agent_without_redis_ends_when_asked(bus: Bus, server: EmbeddedServer) -> None:
    """An agent that could never reach Redis still ends in good time."""
    await server.stop()
    running = RunningAgent(bus, server)
    await asyncio.sleep(0.05)
    running.stop.set()
    async with asyncio.timeout(3):
        await running.task
    assert running.agent.happened == ["started", "stopped"]
