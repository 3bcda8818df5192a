"""Requests to run a unit afresh, on a real server."""

import asyncio
import contextlib

import pytest
import redis.asyncio

from millrace_bus import Bus, BusError, EmbeddedServer
from millrace_core.names import AgentId, Tenant


async def _until_received(bus: Bus, agent: AgentId, unit: str) -> None:
    async with asyncio.timeout(60):
        while not await bus.request_restart(agent, unit):
            await asyncio.sleep(0.01)


async def test_an_agent_receives_the_units_to_restart_in_order(bus: Bus, tenant: Tenant) -> None:
    """A request that nobody hears says so; those that wait come in order, one that was repeated once."""
    agent = AgentId(tenant)
    assert not await bus.request_restart(agent, "a")
    async with contextlib.aclosing(bus.restart_requests(agent)) as requests:
        first = asyncio.create_task(anext(requests))
        await _until_received(bus, agent, "PUBLIC.binance.watchTrades.ETH/BTC")
        assert await first == "PUBLIC.binance.watchTrades.ETH/BTC"
        for unit in ("b", "c", "b"):
            assert await bus.request_restart(agent, unit)
        assert [await anext(requests), await anext(requests)] == ["b", "c"]


async def test_requests_are_received_again_after_an_outage(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """The channel is subscribed to again by itself."""
    agent = AgentId(tenant)
    async with (
        Bus.connect(killable.url, name="restarts") as own,
        contextlib.aclosing(own.restart_requests(agent)) as requests,
    ):
        first = asyncio.create_task(anext(requests))
        await _until_received(own, agent, "a")
        assert await first == "a"
        await killable.kill()
        await killable.restart()
        following = asyncio.create_task(anext(requests))
        await _until_received(own, agent, "b")
        assert await following == "b"


async def test_a_channel_that_redis_refuses_is_an_error(killable: EmbeddedServer, tenant: Tenant) -> None:
    """An agent must not wait for requests that can never come."""
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.execute_command("ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "resetchannels")
    url = killable.url.replace("redis://", "redis://u:p@")
    async with Bus.connect(url) as own, contextlib.aclosing(own.restart_requests(AgentId(tenant))) as requests:
        with pytest.raises(BusError, match="NOPERM"):
            await asyncio.wait_for(anext(requests), 10)
