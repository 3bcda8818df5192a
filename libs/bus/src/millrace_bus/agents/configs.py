"""Agents' configurations, live. See docs/protocol.md, "Configuration"."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from millrace_bus.agents.notifications import KeyspaceNotifications
from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.connection.indexes import members, register
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_core.errors import InvalidName
from millrace_core.names import CONFIGS_INDEX, AgentId, agent_id, config_key, keyspace_channel

POLL_S = 5.0
"""Poll interval; it catches changes whose keyspace notification was lost."""

_ALL = AgentId("*")
_PREFIX = config_key(AgentId("")).encode()


class Configs:
    """Configurations and the index of the agents that have one. Every call waits out an outage of Redis.

    Raises:
        CommandRefused: from every method, when Redis answered with an error.
    """

    def __init__(self, redis: CommandPool, subscriptions: Subscriptions) -> None:
        self._redis, self._subscriptions = redis, subscriptions
        self._notifications = KeyspaceNotifications(redis)

    async def get(self, agent: AgentId) -> bytes | None:
        """Return an agent's configuration, or None."""
        text: bytes | None = await self._redis.call("GET", config_key(agent))
        return text

    async def all(self) -> dict[AgentId, bytes]:
        """Return the configuration of every agent that has one."""
        agents = {config_key(agent): agent for agent in await self._registered()}
        found = {}
        for keys in self._redis.grouping(agents):
            texts = await self._redis.call("MGET", *keys)
            found.update({agents[key]: text for key, text in zip(keys, texts, strict=True) if text is not None})
        return found

    async def put(self, agent: AgentId, text: str | bytes) -> None:
        """Write an agent's configuration."""
        await self._redis.call("SET", config_key(agent), text)
        await self._register(agent)

    async def replace(self, agent: AgentId, expected: bytes | None, text: bytes) -> bool:
        """Write an agent's configuration if it still equals the expected one; tell whether it was written."""
        if not await self._redis.replace(config_key(agent), expected, text):
            return False
        await self._register(agent)
        return True

    async def watch(self, agent: AgentId) -> AsyncIterator[bytes | None]:
        """Return an agent's configuration, or None, now and at each change."""
        changed, subscribed = asyncio.Event(), asyncio.Event()

        def note(channel: bytes | None) -> None:
            if channel is None:
                subscribed.set()
            changed.set()

        subscription = self._subscriptions.watch_pattern(keyspace_channel(config_key(agent)), note)
        try:
            newest = await self.get(agent)
            # One that was written by hand is in no index.
            is_registered = await self._register(agent)
            yield newest
            while True:
                was_announced = await _changed_or_due(changed)
                await self._announced(subscribed)
                text = await self.get(agent)
                if text != newest and not was_announced:
                    self._notifications.missed()
                if text != newest or not is_registered:
                    is_registered = await self._register(agent)
                if text != newest:
                    newest = text
                    yield newest
        finally:
            self._subscriptions.remove(subscription)

    async def changes(self) -> AsyncGenerator[tuple[AgentId, bytes | None], None]:
        """Return each agent's configuration now, and again whenever it changes; None once it is removed.

        Two changes within the few ms that reading takes come as one: Redis keeps only the newest.
        """
        changed, subscribed = asyncio.Event(), asyncio.Event()
        written: set[AgentId] = set()

        def note(channel: bytes | None) -> None:
            if channel is None:
                subscribed.set()
            elif (agent := _agent_of(channel)) is not None:
                written.add(agent)
            changed.set()

        subscription = self._subscriptions.watch_pattern(keyspace_channel(config_key(_ALL)), note)
        known: dict[AgentId, bytes] = {}
        try:
            while True:
                changed.clear()
                await self._announced(subscribed)
                while written:
                    await self._register(written.pop())
                present = await self.all()
                for agent in sorted(known.keys() | present.keys()):
                    if (text := present.get(agent)) != known.get(agent):
                        yield agent, text
                known = present
                await _changed_or_due(changed)
        finally:
            self._subscriptions.remove(subscription)

    async def _announced(self, subscribed: asyncio.Event) -> None:
        """See to it that Redis announces changes; once after each connection, since it may be another server."""
        if subscribed.is_set():
            subscribed.clear()
            await self._notifications.ensure()

    async def _registered(self) -> list[AgentId]:
        found = await members(self._redis.call, CONFIGS_INDEX)
        return [AgentId(agent.decode(errors="replace")) for agent in found]

    async def _register(self, agent: AgentId) -> bool:
        # Never taken out: there are few, and one whose configuration was removed gets another most likely.
        return await register(self._redis.call, CONFIGS_INDEX, agent)


async def _changed_or_due(changed: asyncio.Event) -> bool:
    """Wait for a change, or until it is time to look whether one was missed; tell whether it was a change."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(POLL_S):
            await changed.wait()
    was_changed = changed.is_set()
    changed.clear()
    return was_changed


def _agent_of(channel: bytes) -> AgentId | None:
    """Return the agent whose configuration a keyspace notification is about; None for other keys."""
    with contextlib.suppress(InvalidName, UnicodeDecodeError):
        return agent_id(channel.partition(b":")[2].removeprefix(_PREFIX).decode())
    return None
