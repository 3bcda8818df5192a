"""All answers to a campaign's requests: those that the journal holds, and those that the channel carried."""

import asyncio
from collections import Counter
from typing import Any

import redis.asyncio
from redis.asyncio.client import PubSub
from tests.support.answers import final_answer


class Answers:
    """Final answers by request id, as a program without millrace sees them."""

    def __init__(self, client: "redis.asyncio.Redis[Any]", stream: str) -> None:
        """`stream`: where they are told."""
        self._client = client
        self._stream = stream
        self._last = b"0"
        self.journaled: Counter[str] = Counter()
        self.published: Counter[str] = Counter()
        self.status: dict[str, str] = {}
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Begin to count what the channel carries."""
        channel: PubSub = self._client.pubsub()
        await channel.subscribe(self._stream)
        self._listening = asyncio.create_task(self._listen(channel))

    async def read(self) -> None:
        """Count what the journal holds by now."""
        while page := await self._client.xrange(self._stream, min=b"(" + self._last, count=1_000):
            self._last = page[-1][0]
            for _, fields in page:
                if (response := final_answer(fields[b"data"])) is not None:
                    self.journaled[response.request_id] += 1
                    self.status[response.request_id] = response.status

    async def of(self, request_id: str) -> None:
        """Wait until the channel has carried the final answer to a request."""
        while request_id not in self.published:
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Count no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self, channel: PubSub) -> None:
        async for message in channel.listen():
            if message["type"] == "message" and (response := final_answer(message["data"])) is not None:
                self.published[response.request_id] += 1
                self._news.set()
