"""The strategies that each magicbox can run. See docs/protocol.md, "Plugins"."""

from collections.abc import Sequence

import msgspec

from millrace_bus.connection.command_pool import CommandPool
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import AgentId, plugins_key
from millrace_core.plugins import PLUGINS_TTL_S, PluginDescription

_PLUGINS = msgspec.json.Decoder(list[PluginDescription])


class Plugins:
    """Descriptions of strategies. Every call waits out an outage of Redis.

    Raises:
        CommandRefused: from every method, when Redis answered with an error, such as OOM.
    """

    def __init__(self, redis: CommandPool) -> None:
        self._redis = redis

    async def publish(self, agent: AgentId, plugins: Sequence[PluginDescription]) -> None:
        """Leave the strategies that an agent can run for 15 s."""
        await self._redis.call("SET", plugins_key(agent), msgspec.json.encode(plugins), "EX", PLUGINS_TTL_S)

    async def get(self, agent: AgentId) -> list[PluginDescription] | None:
        """Return the strategies that an agent can run; None if it does not run, or what it left cannot be read."""
        text = await self._redis.call("GET", plugins_key(agent))
        try:
            return None if text is None else _PLUGINS.decode(text)
        except UNREADABLE:
            return None
