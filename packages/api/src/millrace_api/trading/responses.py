"""Waits for the executor's responses: a stream is followed while requests wait, and a short time longer."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from millrace_api.problems import refused, unavailable
from millrace_bus import Bus, Follower, TaskFailed, Update
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response
from millrace_core.names import StreamName, Tenant

READY_S = 2.0
MOST_IDLE = 200
"""Streams of a tenant that are followed although nobody waits: requests may name any number of markets."""
LINGER_S = 60.0
"""A stream is followed this long after the last request, so the next request for the market starts sooner."""


@dataclass
class _Waiting:
    """One request whose response is due, and how many wait for it."""

    answer: "asyncio.Future[Response]"
    users: int = 0


@dataclass
class _Watch:
    """One stream of responses, and how many requests may be answered there."""

    follower: Follower
    users: int = 0
    idle: asyncio.TimerHandle | None = None


class PendingResponses:
    """The responses to this process's requests."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watches: dict[StreamName, _Watch] = {}
        self._waiting: dict[tuple[Tenant, str], _Waiting] = {}
        self._idle: defaultdict[Tenant, dict[StreamName, _Watch]] = defaultdict(dict)
        """Those of each tenant that nobody waits for, the longest first."""
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def awaiting(self, name: StreamName, request_id: str) -> "AsyncIterator[asyncio.Future[Response]]":
        """Follow where a request may be answered finally. Enter before sending it, so that no response is missed.

        Raises:
            ApiError: a stream cannot be followed; do not send the request.
        """
        watches = {place: self._watch(place) for place in name.answer_places}
        key = name.tenant, request_id
        waiting = self._waiting.setdefault(key, _Waiting(asyncio.get_running_loop().create_future()))
        waiting.users += 1
        try:
            for watch in watches.values():
                await _ready(watch.follower)
            yield waiting.answer
        finally:
            waiting.users -= 1
            if not waiting.users:
                del self._waiting[key]
            for place, watch in watches.items():
                watch.users -= 1
                if not watch.users:
                    self._rest(place, watch)

    async def close(self) -> None:
        """Stop following."""
        # Taken at once: while one closes, another that nobody waits for may reach the end of its time.
        watches, self._watches = self._watches, {}
        self._idle.clear()
        for watch in watches.values():
            if watch.idle is not None:
                watch.idle.cancel()
        for watch in watches.values():
            await watch.follower.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def _watch(self, name: StreamName) -> _Watch:
        watch = self._watches.get(name)
        if watch is None or watch.follower.failure is not None:
            watch = self._watches[name] = _Watch(self._bus.follow(name, lambda update: self._on_update(name, update)))
        elif watch.idle is not None:
            watch.idle.cancel()
            watch.idle = None
        self._idle[name.tenant].pop(name, None)
        watch.users += 1
        return watch

    def _rest(self, name: StreamName, watch: _Watch) -> None:
        """Go on following a stream for a while; of too many, end the one that nobody has needed for longest."""
        watch.idle = asyncio.get_running_loop().call_later(LINGER_S, self._close_idle, name, watch)
        if self._watches.get(name) is not watch:
            return
        idle = self._idle[name.tenant]
        idle[name] = watch
        if len(idle) > MOST_IDLE:
            self._close_idle(*next(iter(idle.items())))

    def _on_update(self, name: StreamName, update: Update) -> None:
        if update.kind != "response" or (watch := self._watches.get(name)) is None or not watch.users:
            return
        try:
            response = msgspec.convert(update.data, Response)
        except UNREADABLE:
            # A response that cannot be read answers no request.
            return
        waiting = self._waiting.get((name.tenant, response.request_id))
        if waiting is not None and not waiting.answer.done() and response.status != "unknown":
            waiting.answer.set_result(response)

    def _close_idle(self, name: StreamName, watch: _Watch) -> None:
        # A stream that failed may have been followed again meanwhile.
        if self._watches.get(name) is watch:
            del self._watches[name]
            self._idle[name.tenant].pop(name, None)
        if watch.idle is not None:
            watch.idle.cancel()
        closing = asyncio.get_running_loop().create_task(watch.follower.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _ready(follower: Follower) -> None:
    try:
        async with asyncio.timeout(READY_S):
            await follower.ready()
    except TimeoutError as error:
        raise unavailable("Redis") from error
    except TaskFailed as error:
        raise refused(str(error)) from error
