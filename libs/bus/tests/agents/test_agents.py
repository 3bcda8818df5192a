"""Configurations and heartbeats on a real server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_bus import agents as agents_module
from millrace_core.heartbeat import HEARTBEAT_TTL_S, Heartbeat
from millrace_core.names import AgentId, Tenant, agent_key, config_key


async def _next(changes: AsyncIterator[bytes | None]) -> bytes | None:
    async with asyncio.timeout(4):
        return await anext(changes)


async def test_a_configuration_is_followed(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """Now, and at each change by whomever; well before the poll."""
    agent = AgentId(tenant)
    changes = bus.watch_config(agent)
    assert await _next(changes) is None
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(config_key(agent), b"one")
        assert await _next(changes) == b"one"
    await bus.put_config(agent, "two")
    assert await _next(changes) == b"two"
    assert await bus.get_config(agent) == b"two"


async def test_of_two_who_replace_a_configuration_one_is_told(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """It is written only over what was expected, also where nothing was; both at once never succeed."""
    agent = AgentId(tenant)
    assert await bus.replace_config(agent, None, b"one")
    assert not await bus.replace_config(agent, None, b"two")
    tries = (each.replace_config(agent, b"one", text) for each, text in ((bus, b"mine"), (other, b"theirs")))
    assert sorted(await asyncio.gather(*tries)) == [False, True]
    assert await bus.get_config(agent) in (b"mine", b"theirs")


async def test_a_change_during_an_outage_is_noticed(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """Whoever watches learns of what was written while it was cut off."""
    agent = AgentId(tenant)
    await bus.put_config(agent, "one")
    changes = bus.watch_config(agent)
    assert await _next(changes) == b"one"
    await killable.kill()
    await killable.restart()
    await bus.put_config(agent, "two")
    assert await _next(changes) == b"two"


async def test_what_notifications_lose_the_poll_finds(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, server: EmbeddedServer, tenant: Tenant
) -> None:
    """A removed key is not announced; it is noticed all the same."""
    monkeypatch.setattr(agents_module, "POLL_S", 0.1)
    agent = AgentId(tenant)
    await bus.put_config(agent, "one")
    changes = bus.watch_config(agent)
    assert await _next(changes) == b"one"
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(config_key(agent))
    assert await _next(changes) is None


def _heartbeat(agent: str) -> Heartbeat:
    return Heartbeat(agent, "gatherer", "running", pid=1, started_at=1, sent_at=2, version="1")


async def test_heartbeats_are_found_while_alive(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """They expire, are removed by an agent that ends, and what is no heartbeat is passed over."""
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
    await bus.end_heartbeat(two)
    assert await mine() == []
