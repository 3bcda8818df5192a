"""What an agent of alerts remembers over a restart. See docs/protocol.md, "Alerts"."""

from millrace_bus.connection.command_pool import CommandPool
from millrace_core.names import AgentId, alerts_key


class AlertMemory:
    """Reached as `bus.alert_memory`. Every call waits out an outage of Redis.

    Raises:
        CommandRefused: from every method, when Redis answered with an error, such as OOM.
    """

    def __init__(self, redis: CommandPool) -> None:
        self._redis = redis

    async def get(self, agent: AgentId) -> bytes | None:
        """Return what was kept; None if nothing was."""
        found: bytes | None = await self._redis.call("GET", alerts_key(agent))
        return found

    async def put(self, agent: AgentId, memory: bytes) -> None:
        """Keep it."""
        await self._redis.call("SET", alerts_key(agent), memory)
