"""What concerns agents: their configuration, live, and the heartbeats that they leave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from millrace_bus.connection.control import Control, WatchError
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_core.heartbeat import HEARTBEAT_TTL_S, Heartbeat
from millrace_core.names import AgentId, agent_key, config_key, keyspace_channel

POLL_S = 5.0
"""What keyspace notifications lose, or a server that sends none, is noticed this soon."""

_HEARTBEAT = msgspec.json.Decoder(Heartbeat)


class Agents:
    """Configurations and heartbeats. Every call waits out an outage of Redis."""

    def __init__(self, redis: Control, subscriptions: Subscriptions) -> None:
        self._redis = redis
        self._subscriptions = subscriptions

    async def watch_config(self, agent: AgentId) -> AsyncIterator[bytes | None]:
        """Return an agent's configuration now and at each change; None while there is none."""
        changed = asyncio.Event()
        pattern = keyspace_channel(config_key(agent))
        subscription = self._subscriptions.add_pattern(pattern, changed.set)
        try:
            newest = await self.get_config(agent)
            yield newest
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await changed.wait()
                changed.clear()
                if (text := await self.get_config(agent)) != newest:
                    newest = text
                    yield newest
        finally:
            self._subscriptions.remove(subscription)

    async def get_config(self, agent: AgentId) -> bytes | None:
        """Return an agent's configuration; None where there is none."""
        return await self._redis.get(config_key(agent))

    async def put_config(self, agent: AgentId, text: str | bytes) -> None:
        """Write an agent's configuration."""
        await self._redis.set(config_key(agent), text)

    async def replace_config(self, agent: AgentId, expected: bytes | None, text: bytes) -> bool:
        """Write an agent's configuration if it is still what is expected; tell whether it is written now."""
        key = config_key(agent)
        while True:
            async with self._redis.pipeline(transaction=True) as transaction:
                await transaction.watch(key)
                present = await transaction.get(key)
                if present != expected:
                    # Ours, should an outage have taken the answer to an earlier try.
                    return bool(present == text)
                transaction.multi()
                transaction.set(key, text)
                try:
                    await transaction.execute()
                except WatchError:
                    continue
                return True

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat for 15 s."""
        await self._redis.set(agent_key(AgentId(heartbeat.id)), msgspec.json.encode(heartbeat), ex=HEARTBEAT_TTL_S)

    async def end_heartbeat(self, agent: AgentId) -> None:
        """Remove a heartbeat: the agent ended on purpose."""
        await self._redis.delete(agent_key(agent))

    async def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeat of every agent that is alive, by id; what is no heartbeat is passed over."""
        keys = [key async for key in self._redis.scan_iter(match=agent_key(AgentId("*")), count=1_000)]
        texts = await self._redis.mget(sorted(keys)) if keys else []
        return [heartbeat for text in texts if text is not None and (heartbeat := _heartbeat(text)) is not None]


def _heartbeat(text: bytes) -> Heartbeat | None:
    try:
        return _HEARTBEAT.decode(text)
    except msgspec.MsgspecError:
        return None
