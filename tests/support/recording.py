"""A plain reader that keeps everything that ever stood in the journals, whatever trims or kills them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio as redis_asyncio
from redis.exceptions import RedisError

from millrace_core.ids import MessageId

_BLOCK_MS = 100
_LOOK_EVERY_S = 0.5
_PAGE = 2_000
_BEGINNING = MessageId(0, 0)

Journal = dict[MessageId, bytes]
"""A journal's entries: the field `data` of each."""


class Recording:
    """The journals as they were read by XREAD from their beginning on."""

    def __init__(self, url: str) -> None:
        self.journals: dict[str, Journal] = {}
        self._redis: Any = redis_asyncio.Redis.from_url(url)
        self._read_to: dict[str, MessageId] = {}
        self._is_over = False

    async def follow(self) -> None:
        """Read until it is over, through any outage of Redis."""
        while not self._is_over:
            try:
                await self._look()
                looked_at = time.monotonic()
                while not self._is_over and time.monotonic() - looked_at < _LOOK_EVERY_S:
                    await self._read()
            except (RedisError, OSError):
                await asyncio.sleep(0.02)

    async def now(self) -> dict[str, Journal]:
        """Return the present content of Redis, and record it; once all writers have stopped, it is complete."""
        held = {}
        for name in await self._names():
            entries = await self._redis.xrange(name)
            held[name] = {_id(entry): fields.get(b"data", b"") for entry, fields in entries}
            self.journals.setdefault(name, {}).update(held[name])
        return held

    def end(self) -> None:
        """Have `follow` end with the read that it is at."""
        self._is_over = True

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def _names(self) -> list[str]:
        tenants = await self._redis.smembers("index.tenants")
        found = [await self._redis.zrange(b"index.journals." + tenant, 0, -1) for tenant in tenants]
        return [name.decode() for names in found for name in names]

    async def _look(self) -> None:
        for name in await self._names():
            self._read_to.setdefault(name, _BEGINNING)

    async def _read(self) -> None:
        if not self._read_to:
            await asyncio.sleep(_BLOCK_MS / 1_000)
            return
        positions = {name: str(position) for name, position in self._read_to.items()}
        found = await self._redis.xread(positions, count=_PAGE, block=_BLOCK_MS)
        for raw_name, entries in found:
            name = raw_name.decode()
            journal = self.journals.setdefault(name, {})
            journal.update({_id(entry): fields.get(b"data", b"") for entry, fields in entries})
            self._read_to[name] = _id(entries[-1][0])


def _id(entry: bytes) -> MessageId:
    return MessageId.parse(entry.decode())


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[Recording]:
    """Record the journals of a Redis while the body runs."""
    recorded = Recording(url)
    following = asyncio.create_task(recorded.follow())
    try:
        yield recorded
        # What broke the recording would show as rows that nobody wrote.
        assert not following.done(), following.exception()
    finally:
        # Not cancelled: redis-py now and then swallows that, and would read on forever.
        recorded.end()
        await asyncio.wait([following])
        await recorded.close()
