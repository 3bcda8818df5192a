"""Waiting for the executor's answers: each stream of answers is followed while somebody waits, and a while longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from millrace_api.problems import unavailable
from millrace_bus import Bus, Follower, Update
from millrace_core.messages import Response
from millrace_core.names import StreamName

READY_S = 2.0
LINGER_S = 60.0
"""The next order on the same market finds its stream of answers followed already."""


@dataclass
class _Watch:
    """One stream of answers that is followed."""

    follower: Follower
    waiting: "dict[str, asyncio.Future[Response]]" = field(default_factory=dict)
    users: int = 0
    idle: asyncio.TimerHandle | None = None


class Answers:
    """The answers to what this process asked for."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watches: dict[StreamName, _Watch] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def expected(self, name: StreamName, request_id: str) -> "AsyncIterator[asyncio.Future[Response]]":
        """Expect the final answer to a request: enter before sending it, so that the answer cannot be missed.

        Raises:
            ApiError: Redis does not tell of answers; what was not sent yet must not be.
        """
        watch = self._watch(name)
        watch.users += 1
        answer = watch.waiting.get(request_id) or asyncio.get_running_loop().create_future()
        watch.waiting[request_id] = answer
        try:
            await _ready(watch.follower)
            yield answer
        finally:
            watch.users -= 1
            if watch.users == 0:
                watch.waiting.clear()
                watch.idle = asyncio.get_running_loop().call_later(LINGER_S, self._let_go, name)

    async def close(self) -> None:
        """Follow nothing any more."""
        for watch in self._watches.values():
            if watch.idle is not None:
                watch.idle.cancel()
            await watch.follower.close()
        self._watches.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _watch(self, name: StreamName) -> _Watch:
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = _Watch(self._bus.follow(name, lambda update: self._heard(name, update)))
        elif watch.idle is not None:
            watch.idle.cancel()
            watch.idle = None
        return watch

    def _heard(self, name: StreamName, update: Update) -> None:
        if update.kind != "response" or (watch := self._watches.get(name)) is None or not watch.waiting:
            return
        try:
            response = msgspec.convert(update.data, Response)
        except msgspec.ValidationError:
            # An answer that we cannot read is no answer to us.
            return
        answer = watch.waiting.get(response.request_id)
        if answer is not None and not answer.done() and response.status != "unknown":
            answer.set_result(response)

    def _let_go(self, name: StreamName) -> None:
        watch = self._watches.pop(name)
        closing = asyncio.get_running_loop().create_task(watch.follower.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _ready(follower: Follower) -> None:
    try:
        async with asyncio.timeout(READY_S):
            await follower.ready()
    except TimeoutError as error:
        raise unavailable("Redis") from error
