"""A reader that has nothing of millrace: redis-py, json and docs/protocol.md, "Readers"."""

import asyncio
import json
from typing import Any

import redis.asyncio as redis_asyncio


class PlainBook:
    """One symbol's order book, rebuilt from the stream as the protocol says, and every state that it was in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.last = (0, 0)
        self.messages = 0
        self.holes = 0
        self.states: dict[int, tuple[dict[float, float], dict[float, float]]] = {}
        """Both sides by the exchange's update id."""
        self.advanced = asyncio.Event()

    @property
    def nonce(self) -> int:
        """The exchange's update id of the newest state."""
        return next(reversed(self.states), 0)

    async def start(self, redis: Any) -> None:
        """Take the newest snapshot, and what the journal holds after it."""
        [(_, fields)] = await redis.xrevrange(self.name.replace("stream.", "stream.snapshot.", 1), count=1)
        data = json.loads(fields["data"])["data"]
        self.bids, self.asks = dict(data["bids"]), dict(data["asks"])
        self.last = position(data["asOf"])
        self._remember(data["nonce"])
        await self._catch_up(redis)

    async def take(self, redis: Any, text: str) -> None:
        """Take one live message: skip it, apply it, or fill the gap before it."""
        message = json.loads(text)
        epoch, seq = position(message["id"])
        if (epoch, seq) <= self.last:
            return
        if (epoch, seq) == (self.last[0], self.last[1] + 1):
            self._apply(message)
        elif epoch == self.last[0]:
            self.holes += 1
            await self._catch_up(redis)
        else:
            await self.start(redis)

    async def _catch_up(self, redis: Any) -> None:
        for _, fields in await redis.xrange(self.name, f"({self.last[0]}-{self.last[1]}", "+"):
            message = json.loads(fields["data"])
            if position(message["id"]) != (self.last[0], self.last[1] + 1):
                raise AssertionError(f"{self.name}: {message['id']} stands after {self.last} in the journal")
            self._apply(message)

    def _apply(self, message: dict[str, Any]) -> None:
        self.last = position(message["id"])
        self.messages += 1
        if message["type"] != "delta":
            return
        data = message["data"]
        for side, levels in ((self.bids, data["bids"]), (self.asks, data["asks"])):
            for price, amount in levels:
                if amount:
                    side[price] = amount
                else:
                    side.pop(price, None)
        self._remember(data["nonce"])

    def _remember(self, nonce: int) -> None:
        self.states[nonce] = dict(self.bids), dict(self.asks)
        self.advanced.set()
        self.advanced.clear()


def position(text: str) -> tuple[int, int]:
    """Read `{epoch}-{seq}`."""
    epoch, _, seq = text.partition("-")
    return int(epoch), int(seq)


async def follow(url: str, books: list[PlainBook], ready: asyncio.Event) -> None:
    """Subscribe first, then start each book, then apply messages until cancelled."""
    by_name = {book.name: book for book in books}
    async with (
        redis_asyncio.Redis.from_url(url, decode_responses=True) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as channel,
    ):
        await channel.subscribe(*by_name)
        for book in books:
            await book.start(redis)
        ready.set()
        async for message in channel.listen():
            await by_name[message["channel"]].take(redis, message["data"])
