"""The strategies that a magicbox can run, on a real server."""

import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import AgentId, Tenant, plugins_key
from millrace_core.plugins import PLUGINS_TTL_S, PluginDescription


async def test_plugins_are_known_while_their_agent_runs(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """They come back as they were published, expire, and what cannot be read counts as unknown."""
    agent = AgentId(tenant)
    assert await bus.plugins(agent) is None
    plugins = [PluginDescription("A", "It trades.", {"type": "object"}), PluginDescription("B", error="no Python")]
    await bus.publish_plugins(agent, plugins)
    assert await bus.plugins(agent) == plugins
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert 0 < await client.ttl(plugins_key(agent)) <= PLUGINS_TTL_S
        await client.set(plugins_key(agent), "rubbish")
    assert await bus.plugins(agent) is None
