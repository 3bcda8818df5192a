"""What strategies keep over restarts, and show of themselves. See docs/protocol.md, "Strategies' records"."""

from collections.abc import Mapping

from millrace_bus.connection.command_pool import CommandPool
from millrace_core.names import Tenant, strategy_key


class StrategyRecords:
    """Reached as `bus.strategy_records`. Every call waits out an outage of Redis.

    Raises:
        CommandRefused: from every method, when Redis answered with an error, such as OOM.
    """

    def __init__(self, redis: CommandPool) -> None:
        self._redis = redis

    async def get(self, tenant: Tenant, strategy: str) -> dict[str, bytes]:
        """Return the fields of a strategy's record; none if it has kept nothing."""
        found: Mapping[bytes, bytes] = await self._redis.call("HGETALL", strategy_key(tenant, strategy))
        return {name.decode(errors="replace"): value for name, value in found.items()}

    async def put(self, tenant: Tenant, strategy: str, fields: Mapping[str, bytes]) -> None:
        """Set fields of a strategy's record; others stay."""
        parts = [part for field in fields.items() for part in field]
        await self._redis.call("HSET", strategy_key(tenant, strategy), *parts)
