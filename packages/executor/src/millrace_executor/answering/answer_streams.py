"""The streams on which requests are answered: opened when first needed, shared by all accounts, closed when idle."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog

from millrace_bus import Bus, CommandRefused, StreamWriter, TaskFailed, Update, WriterFenced
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response, ResponseStatus
from millrace_core.names import StreamName, Tenant
from millrace_core.trace import Trace
from millrace_executor.lease.tenure import Tenure

MAX_OPEN = 500
"""Streams held open; beyond it those of the tenant that has the most are closed, the least recently used first.
Each repeats its status every 5 s."""
IDLE_S = 600.0
"""A stream without answers for this long is closed, since its symbol may be a sender's mistake."""

log = structlog.get_logger()


class _AnswerWriter:
    """One stream's writer, opening or open."""

    def __init__(self, writer: StreamWriter, tenure: Tenure) -> None:
        self.writer = writer
        self.tenure = tenure
        self.users = 0
        self.idle: asyncio.TimerHandle | None = None
        self.opening = asyncio.create_task(self._open(), name=f"open {writer.name}")

    async def _open(self) -> None:
        """Open the stream; the next holder of the lease fences this writer by opening it too."""
        await self.writer.open()
        await self.tenure.confirm()

    @property
    def has_failed(self) -> bool:
        """Tell whether its writer could not be opened, or has ended since: nothing can be published any more."""
        if not self.opening.done():
            return False
        return self.opening.cancelled() or self.opening.exception() is not None or self.writer.state == "closed"

    async def close(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
        self.opening.cancel()
        await asyncio.wait({self.opening})
        await self.writer.close("the executor has answered nothing here")


class AnswerStreams:
    """The only writer of each stream of answers. A writer lives no longer than the tenure that it was opened under."""

    def __init__(self, bus: Bus, *, max_open: int = MAX_OPEN, idle_s: float = IDLE_S) -> None:
        self._bus = bus
        self._max_open = max_open
        self._idle_s = idle_s
        self._streams: OrderedDict[StreamName, _AnswerWriter] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> list[StreamName]:
        """Return the streams that are held open, the most recently used last."""
        return list(self._streams)

    def expect(self, name: StreamName, tenure: Tenure) -> None:
        """Begin to open a stream, so that its answer need not wait for that."""
        self._release(name, self._stream(name, tenure))

    async def open(self, name: StreamName, tenure: Tenure) -> None:
        """Open a stream: executors that held the lease before publish no more answers there.

        Raises:
            LeaseLost: another executor acts for the tenant.
            CommandRefused: Redis refuses permanently, as when the stream's key is of another type.
        """
        async with self._opened(name, tenure):
            pass

    async def publish(self, name: StreamName, response: Response, trace: Trace, tenure: Tenure) -> None:
        """Publish an answer; when this returns Redis has it, once.

        Raises:
            LeaseLost: another executor acts for the tenant; nothing was published, neither in the journal nor on the
                channel.
            CommandRefused: Redis refuses permanently, as when the stream's key is of another type.
        """
        while True:
            async with self._opened(name, tenure) as stream:
                stream.writer.response(response, trace=trace)
                try:
                    await stream.writer.drained()
                except WriterFenced:
                    await tenure.confirm()
                    log.warning("another program writes to this stream of answers; opening it again", stream=str(name))
                except TaskFailed as failure:
                    if not isinstance(failure.__cause__, CommandRefused):
                        raise
                    log.warning("a stream of answers cannot be written; opening it again", cause=str(failure))
                else:
                    return
            self._discard(name, stream)
            # Only the journal knows whether this answer was refused or a later one.
            if response.request_id in await self.answered(name, provisional=response.status == "unknown"):
                return

    async def answered(self, name: StreamName, *, provisional: bool = False) -> dict[str, ResponseStatus]:
        """Return the status of each request that the stream's journal answers finally, or `provisional`ly too.

        Raises:
            CommandRefused: Redis refuses permanently to read it.
        """
        found: list[Any] = []

        def collect(update: Update) -> None:
            if update.kind == "response":
                found.append(update.data)

        follower = self._bus.follow(name, collect, from_start=True)
        try:
            await follower.ready()
        except TaskFailed as failure:
            if isinstance(failure.__cause__, CommandRefused):
                raise failure.__cause__ from failure
            raise
        finally:
            await follower.close()
        responses = [response for data in found if (response := _response(data)) is not None]
        return {each.request_id: each.status for each in responses if provisional or each.status != "unknown"}

    def discard(self, tenant: Tenant) -> None:
        """Close a tenant's streams: its answers are another executor's to publish."""
        for name, stream in list(self._streams.items()):
            if name.tenant == tenant:
                self._discard(name, stream)

    async def close(self) -> None:
        """Close every stream; answers published before are in Redis."""
        for name, stream in list(self._streams.items()):
            self._discard(name, stream)
        if self._closing:
            await asyncio.wait(self._closing)

    @asynccontextmanager
    async def _opened(self, name: StreamName, tenure: Tenure) -> AsyncIterator[_AnswerWriter]:
        stream = self._stream(name, tenure)
        stream.users += 1
        try:
            # One user's cancellation must not end the opening that all wait for.
            await asyncio.shield(stream.opening)
            yield stream
        finally:
            stream.users -= 1
            self._release(name, stream)

    def _stream(self, name: StreamName, tenure: Tenure) -> _AnswerWriter:
        stream = self._streams.get(name)
        if stream is not None and (stream.has_failed or stream.tenure is not tenure):
            self._discard(name, stream)
            stream = None
        if stream is None:
            stream = self._streams[name] = _AnswerWriter(self._bus.writer(name, None), tenure)
        self._streams.move_to_end(name)
        if stream.idle is not None:
            stream.idle.cancel()
        return stream

    def _release(self, name: StreamName, stream: _AnswerWriter) -> None:
        """Discard an unused stream: at once if it could not be opened, else once it has been idle."""
        if stream.has_failed:
            self._discard(name, stream)
        elif not stream.users and self._streams.get(name) is stream:
            stream.idle = asyncio.get_running_loop().call_later(self._idle_s, self._discard, name, stream)
        if len(self._streams) > self._max_open:
            self._make_room()

    def _make_room(self) -> None:
        """Discard the least recently used of the tenant that has the most, so that one tenant's end no other's."""
        unused = [name for name, stream in self._streams.items() if not stream.users]
        if unused:
            most, _ = Counter(name.tenant for name in unused).most_common(1)[0]
            name = next(name for name in unused if name.tenant == most)
            self._discard(name, self._streams[name])

    def _discard(self, name: StreamName, stream: _AnswerWriter) -> None:
        if self._streams.get(name) is stream:
            del self._streams[name]
            closing = asyncio.create_task(stream.close(), name=f"close {name}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _response(data: Any) -> Response | None:
    try:
        return msgspec.convert(data, Response)
    except UNREADABLE:
        # Another program wrote it: it answers no request, and must not keep an account from starting.
        return None
