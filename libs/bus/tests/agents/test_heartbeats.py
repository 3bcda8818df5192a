"""Heartbeats on a real server."""

from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Bus, CommandRefused, EmbeddedServer
from millrace_bus.agents.heartbeats import Heartbeats
from millrace_bus.connection.address import Address
from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.connection.slots import by_slot
from millrace_core.heartbeat import HEARTBEAT_TTL_S, Heartbeat
from millrace_core.names import AGENTS_INDEX, AgentId, Tenant, agent_key


def _heartbeat(agent: str, started_at: int = 1) -> Heartbeat:
    return Heartbeat(agent, "gatherer", "running", pid=started_at, started_at=started_at, sent_at=2, version="1")


async def test_heartbeats_are_found_while_alive(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """They expire, are removed by an agent that ends, and unreadable heartbeats are skipped."""
    one, two = AgentId(f"{tenant}a"), AgentId(f"{tenant}b")
    await bus.heartbeat(_heartbeat(one))
    await bus.heartbeat(_heartbeat(two))

    async def mine() -> list[Any]:
        return [beat.id for beat in await bus.heartbeats() if beat.id.startswith(tenant)]

    assert await mine() == [one, two]
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert 0 < await client.ttl(agent_key(one)) <= HEARTBEAT_TTL_S
        await client.set(agent_key(one), "rubbish")
    assert await mine() == [two]
    await bus.end_heartbeat(two, 1)
    assert await mine() == []


async def test_the_process_that_started_last_speaks_for_its_agent(bus: Bus, tenant: Tenant) -> None:
    """While an agent is replaced two processes have its id: the first neither overwrites nor removes the second's."""
    agent = AgentId(tenant)

    async def found() -> list[int]:
        return [beat.pid for beat in await bus.heartbeats() if beat.id == agent]

    await bus.heartbeat(_heartbeat(agent, started_at=1))
    await bus.heartbeat(_heartbeat(agent, started_at=2))
    await bus.heartbeat(_heartbeat(agent, started_at=1))
    assert await found() == [2]
    await bus.end_heartbeat(agent, 1)
    assert await found() == [2]
    await bus.end_heartbeat(agent, 2)
    assert await found() == []


async def test_an_agent_that_died_leaves_the_index(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A heartbeat that has expired is taken out when it is looked for, and the next one brings the agent back."""
    agent = AgentId(tenant)
    await bus.heartbeat(_heartbeat(agent))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(agent_key(agent))
        assert agent not in [beat.id for beat in await bus.heartbeats()]
        assert not await client.sismember(AGENTS_INDEX, agent)
    await bus.heartbeat(_heartbeat(agent))
    assert agent in [beat.id for beat in await bus.heartbeats()]


async def test_a_heartbeat_that_redis_does_not_write_is_refused(
    killable: EmbeddedServer, bus: Bus, tenant: Tenant
) -> None:
    """The error is ours, and says why: an agent goes on without, and tries again."""
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.config_set("maxmemory", 1)
        with pytest.raises(CommandRefused, match="OOM") as refused:
            await bus.heartbeat(_heartbeat(tenant))
        assert refused.value.code == "OOM"
        await client.config_set("maxmemory", 0)
    await bus.heartbeat(_heartbeat(tenant))


async def test_heartbeats_in_several_slots_are_read_as_one(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A cluster takes one MGET a slot: what is found is the same."""
    agents = [AgentId(f"{tenant}{each}") for each in "abc"]
    for agent in agents:
        await bus.heartbeat(_heartbeat(agent))
    assert len(by_slot(agent_key(agent) for agent in agents)) == 3
    control = CommandPool(Address.parse(server.url), "slots", grouping=by_slot)
    found = [beat.id for beat in await Heartbeats(control).all()]
    await control.close()
    assert [agent for agent in found if agent.startswith(tenant)] == agents
