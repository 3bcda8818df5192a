"""Answers: the streams on which requests are answered, opened when first needed and shared by all accounts."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog

from millrace_bus import Bus, StreamWriter, Update, WriterFenced
from millrace_core.messages import Response, ResponseStatus
from millrace_core.names import StreamName
from millrace_core.trace import Trace

MAX_OPEN = 500
"""Streams held open; the one not used for longest is closed for another. Each says every 5 s that it lives."""

log = structlog.get_logger()


class _Open:
    """A writer that is being opened or open, and how many are using it."""

    def __init__(self, writer: StreamWriter) -> None:
        self.writer = writer
        self.users = 0
        self.opening = asyncio.create_task(writer.open(), name=f"open {writer.name}")

    async def close(self) -> None:
        self.opening.cancel()
        await asyncio.wait({self.opening})
        await self.writer.close("the executor has nothing to answer here")


class Answers:
    """The one writer of each stream of answers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._open: OrderedDict[StreamName, _Open] = OrderedDict()

    def expect(self, name: StreamName) -> None:
        """Begin to open a stream, so that its answer need not wait for that."""
        self._hold(name)

    async def give(self, name: StreamName, response: Response, trace: Trace) -> None:
        """Publish an answer; when this returns Redis has it, once."""
        while True:
            async with self._writer(name) as held:
                held.writer.response(response, trace=trace)
                try:
                    await held.writer.drained()
                except WriterFenced:
                    log.warning("another executor writes the same answers; taking the stream back", stream=str(name))
                else:
                    return
            await self._drop(name, held)
            # Whether it was this answer that was refused, or only a later one, the journal alone knows.
            if response.request_id in await self.given(name, provisional=response.status == "unknown"):
                return

    async def given(self, name: StreamName, *, provisional: bool = False) -> dict[str, ResponseStatus]:
        """Return the requests that the stream's journal answers, finally or `provisional`ly too, with their status."""
        found: dict[str, ResponseStatus] = {}

        def note(update: Update) -> None:
            if update.kind == "response":
                response = msgspec.convert(update.data, Response)
                if provisional or response.status != "unknown":
                    found[response.request_id] = response.status

        follower = self._bus.follow(name, note, from_start=True)
        try:
            await follower.ready()
        finally:
            await follower.close()
        return found

    async def close(self) -> None:
        """Close every stream; answers given before are in Redis."""
        held, self._open = list(self._open.values()), OrderedDict()
        await asyncio.gather(*(each.close() for each in held))

    @asynccontextmanager
    async def _writer(self, name: StreamName) -> AsyncIterator[_Open]:
        held = self._hold(name)
        held.users += 1
        try:
            # Another's cancellation must not end the opening that all wait for.
            await asyncio.shield(held.opening)
            yield held
        finally:
            held.users -= 1
            await self._close_surplus()

    def _hold(self, name: StreamName) -> _Open:
        held = self._open.get(name)
        if held is None:
            held = self._open[name] = _Open(self._bus.writer(name, None))
        self._open.move_to_end(name)
        return held

    async def _drop(self, name: StreamName, held: _Open) -> None:
        if self._open.get(name) is held:
            del self._open[name]
            await held.close()

    async def _close_surplus(self) -> None:
        if len(self._open) <= MAX_OPEN:
            return
        idle = next((name for name, held in self._open.items() if not held.users), None)
        if idle is not None:
            await self._drop(idle, self._open[idle])
