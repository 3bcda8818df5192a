"""All agents' configurations as they change: what a history of them needs. See docs/protocol.md, "Configuration"."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from millrace_bus.agents.agents import POLL_S
from millrace_bus.connection.control import Control
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_core.errors import InvalidName
from millrace_core.names import AgentId, agent_id, config_key, keyspace_channel

_ALL = AgentId("*")
_PREFIX = config_key(AgentId(""))


async def config_changes(
    redis: Control, subscriptions: Subscriptions
) -> AsyncGenerator[tuple[AgentId, bytes | None], None]:
    """Return each agent's configuration now, and again whenever it changes; None once it is removed.

    Two changes within the few ms that reading takes are told as one: Redis keeps only the newest.
    """
    changed = asyncio.Event()
    subscription = subscriptions.add_pattern(keyspace_channel(config_key(_ALL)), changed.set)
    known: dict[AgentId, bytes] = {}
    try:
        while True:
            changed.clear()
            present = await _texts(redis)
            for agent in sorted(known.keys() | present.keys()):
                if (text := present.get(agent)) != known.get(agent):
                    yield agent, text
            known = present
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await changed.wait()
    finally:
        subscriptions.remove(subscription)


async def _texts(redis: Control) -> dict[AgentId, bytes]:
    keys = sorted({key async for key in redis.scan_iter(match=config_key(_ALL), count=1_000, _type="STRING")})
    texts = await redis.mget(keys) if keys else []
    found = {}
    for key, text in zip(keys, texts, strict=True):
        with contextlib.suppress(InvalidName, UnicodeDecodeError):
            if text is not None:
                found[agent_id(key.decode().removeprefix(_PREFIX))] = text
    return found
