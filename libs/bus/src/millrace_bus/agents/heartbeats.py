"""The heartbeats that agents leave. See docs/protocol.md, "Heartbeats"."""

import contextlib

import msgspec

from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.connection.indexes import members, register
from millrace_bus.errors import CommandRefused
from millrace_core.heartbeat import HEARTBEAT_TTL_S, Heartbeat
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import AGENTS_INDEX, AgentId, agent_key

_HEARTBEAT = msgspec.json.Decoder(Heartbeat)


class Heartbeats:
    """Heartbeats and the index of the agents that have sent one. Every call waits out an outage of Redis.

    Raises:
        CommandRefused: from every method, when Redis answered with an error, such as OOM.
    """

    def __init__(self, redis: CommandPool) -> None:
        self._redis = redis

    async def send(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat for 15 s, unless a process of the same agent that started later has left one."""
        agent = AgentId(heartbeat.id)
        if not await self._is_replaced(agent, heartbeat.started_at):
            await self._redis.call("SET", agent_key(agent), msgspec.json.encode(heartbeat), "EX", HEARTBEAT_TTL_S)
            await register(self._redis.call, AGENTS_INDEX, agent)

    async def end(self, agent: AgentId, started_at: int) -> None:
        """Remove the heartbeat of a process that ended on purpose; that of one which started later stays."""
        if not await self._is_replaced(agent, started_at):
            await self._redis.call("DEL", agent_key(agent))
            with contextlib.suppress(CommandRefused):
                await self._redis.call("SREM", AGENTS_INDEX, agent)

    async def all(self) -> list[Heartbeat]:
        """Return the heartbeat of every agent that is alive, by id; unreadable heartbeats are skipped.

        Agents whose heartbeat has expired leave the index. Their next heartbeat brings them back.
        """
        found = await members(self._redis.call, AGENTS_INDEX)
        agents = {agent_key(AgentId(agent.decode(errors="replace"))): agent for agent in found}
        texts: dict[str, bytes | None] = {}
        for keys in self._redis.grouping(agents):
            texts.update(zip(keys, await self._redis.call("MGET", *keys), strict=True))
        if expired := [agents[key] for key, text in texts.items() if text is None]:
            # Whoever reads must not need to write: the next reader takes them out.
            with contextlib.suppress(CommandRefused):
                await self._redis.call("SREM", AGENTS_INDEX, *expired)
        present = (texts[key] for key in agents)
        return [heartbeat for text in present if text is not None and (heartbeat := _heartbeat(text)) is not None]

    async def _is_replaced(self, agent: AgentId, started_at: int) -> bool:
        text = await self._redis.call("GET", agent_key(agent))
        present = None if text is None else _heartbeat(text)
        return present is not None and present.started_at > started_at


def _heartbeat(text: bytes) -> Heartbeat | None:
    try:
        return _HEARTBEAT.decode(text)
    except UNREADABLE:
        return None
