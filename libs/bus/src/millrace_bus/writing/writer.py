"""The one writer of a stream. See docs/protocol.md, "The message" and "Writers after an outage"."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Literal

from millrace_bus.connection.connection import Wire, into
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import Link
from millrace_bus.errors import BusError, Disconnected, Refused, WriterFenced
from millrace_bus.reading.published import PublishedReading, Resume
from millrace_bus.writing.numbered import NO_TRACE, NumberedStream, TakeSnapshot, WriterCounters
from millrace_bus.writing.publish_commands import entry_message_id
from millrace_bus.writing.resume_policy import Fenced, NewEpoch, Resend, decide, epoch_of
from millrace_core.ids import MessageId
from millrace_core.messages import Status, StreamStatus
from millrace_core.names import StreamName
from millrace_core.trace import Trace

WriterState = Literal["closed", "live", "standby", "disconnected"]
"""`standby`: a newer writer has the stream. `disconnected`: messages are kept until Redis is back."""

STATUS_REPEAT_S = 5.0
"""A stream is never silent for longer: readers call it dead after twice that."""
STANDBY_SILENCE_S = 10.0
"""A fenced writer opens the stream again when nobody wrote there for so long."""
_TICK_S = 1.0
_CLOSE_TIMEOUT_S = 1.0
_RETRY_S = 1.0

_log = logging.getLogger("millrace.bus")


class StreamWriter:
    """The one writer of a stream; made by `Bus.writer`."""

    def __init__(
        self,
        name: StreamName,
        take_snapshot: TakeSnapshot | None,
        link: Link,
        outbox: Outbox,
        *,
        retention: int = 10_000,
        snapshot_interval_s: float = 60.0,
        on_state: Callable[[WriterState], None] | None = None,
        resume: Resume | None = None,
    ) -> None:
        self.name = name
        self._link, self._on_state, self._resume = link, on_state, resume
        self._snapshot_interval_s = snapshot_interval_s
        self._stream = NumberedStream(name, outbox, take_snapshot, retention)
        self._state: WriterState = "closed"
        self._claimed = False
        """Whether Redis has taken the first entry of our epoch."""
        self._keeper: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._was_opened = False

    @property
    def state(self) -> WriterState:
        """Tell whether messages reach Redis now."""
        # The keeper learns of an outage one turn of the event loop after the wire does.
        return "disconnected" if self._state == "live" and not self._stream.in_session else self._state

    @property
    def is_closed(self) -> bool:
        """Tell whether it was opened and is closed for good."""
        return self._was_opened and self._keeper is None

    @property
    def counters(self) -> WriterCounters:
        """Return the running totals."""
        return self._stream.counters

    @property
    def last(self) -> MessageId | None:
        """Return the id of the last message; None before `open`."""
        return self._stream.last if self._opened.is_set() else None

    async def open(self, status: StreamStatus = "live", reason: str | None = None) -> None:
        """Pick the epoch, write the first snapshot and then the status; wait for Redis as long as it takes.

        What `take_snapshot` raises is raised here, or, later, handed to the loop's exception handler.

        Raises:
            BusError: it was opened before. A writer opens once.
        """
        if self._was_opened:
            raise BusError(f"{self.name}: a writer opens once; make another")
        self._was_opened = True
        self._stream.status = Status(status, reason)
        self._become("disconnected")
        self._keeper = asyncio.create_task(self._keep(), name=f"writer {self.name}")
        opened = asyncio.ensure_future(self._opened.wait())
        try:
            await asyncio.wait([opened, self._keeper], return_when=asyncio.FIRST_COMPLETED)
            if self._keeper.done():
                self._keeper.result()
            self._keeper.add_done_callback(self._report)
        finally:
            opened.cancel()
            if not self._opened.is_set():
                # Nobody waits for it any more.
                self._keeper.cancel()
                self._become("closed")

    def delta(self, data: Any, *, timestamp: int | None = None, trace: Trace = NO_TRACE) -> MessageId:
        """Publish what changed, with `trace.published` stamped; give its id.

        Never blocks and never raises for an outage: it goes out with all that this turn of the event loop
        produced, or is kept until Redis is back. In standby it is dropped and counted.
        Change what `take_snapshot` reads in the same turn: a snapshot is taken between turns.

        Raises:
            BusError: the writer was never opened.
        """
        if self._state in ("closed", "standby"):
            return self._drop()
        return self._stream.write("delta", data, timestamp, trace)

    def response(self, data: Any, *, timestamp: int | None = None, trace: Trace = NO_TRACE) -> MessageId:
        """Publish an answer; otherwise as `delta`."""
        if self._state in ("closed", "standby"):
            return self._drop()
        return self._stream.write("response", data, timestamp, trace)

    def status(self, status: StreamStatus, reason: str | None = None) -> MessageId:
        """Publish whether what was last published still holds; repeated when nothing else is sent for 5 s."""
        self._stream.status = Status(status, reason)
        if self._state in ("closed", "standby"):
            return self._stream.last
        return self._stream.write_status()

    def snapshot(self) -> None:
        """Write a snapshot now, beside those that are written anyway; nothing happens during an outage."""
        self._stream.write_snapshot()

    async def drained(self) -> None:
        """Wait until Redis has acknowledged all that was handed in so far.

        Raises:
            WriterFenced: a newer writer has the stream; this one's messages were refused.
        """
        if self._state == "standby":
            raise WriterFenced(str(self.name))
        await self._stream.acknowledged.wait_for(self._stream.last.seq)

    async def close(self, reason: str | None = None) -> None:
        """Publish `closed` (where Redis can be reached at once) and stop. Closing twice is harmless."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if self._state == "live":
            self.status("closed", reason)
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self.drained()
            except (TimeoutError, WriterFenced):
                _log.warning("%s: closed without Redis having taken its end", self.name)
        keeper.cancel()
        await asyncio.wait([keeper])
        self._stream.end_session()
        self._become("closed")

    def _report(self, keeper: "asyncio.Task[None]") -> None:
        """Say that the writer has ended by a mistake in what it was given."""
        if keeper.cancelled() or (error := keeper.exception()) is None:
            return
        self._stream.end_session()
        self._become("closed")
        context = {"message": f"the writer of {self.name} has ended", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)

    def _drop(self) -> MessageId:
        if self._keeper is None:
            raise BusError(f"{self.name}: the writer is not open")
        self.counters.dropped += 1
        return self._stream.last

    async def _keep(self) -> None:
        """Meet the stream again after each outage and refusal, for ever."""
        while True:
            wire = await self._link.up()
            trouble: Refused | None = None
            try:
                await self._meet(wire)
                trouble = await self._serve(wire)
            except Refused as refused:
                trouble = refused
            except Disconnected:
                pass
            self._stream.end_session()
            self._become("disconnected")
            if trouble is not None and "equal or smaller" not in str(trouble):
                # Not a fence but a Redis that cannot write (out of memory, read only): it may recover.
                _log.error("%s: Redis refuses to write: %s", self.name, trouble)
                await asyncio.sleep(_RETRY_S)

    async def _meet(self, wire: Wire) -> None:
        """Bring the stream to where we are, and go live; return however late another writer leaves it.

        Raises:
            Disconnected, Refused: the connection or Redis failed meanwhile; then meet again.
        """
        newest, newest_snapshot = await self._newest(wire)
        stream = self._stream
        if not self._claimed:
            await self._open_epoch(wire, max(epoch_of(newest), epoch_of(newest_snapshot)), 0)
            return
        match decide(stream.last, stream.ring.first, newest, newest_snapshot):
            case Resend(after):
                self.counters.resent += stream.last.seq - after
                self._go_live(wire, after)
                stream.write_snapshot()
            case NewEpoch(above, held):
                await self._open_epoch(wire, above, held)
            case Fenced(_):
                self._stand_by()
                above = await self._silence(wire)
                # From here on what is handed in is kept: it may come after the first snapshot was taken.
                self._become("disconnected")
                await self._open_epoch(wire, above, stream.acknowledged.seq)

    async def _open_epoch(self, wire: Wire, above: int, held: int) -> None:
        self._claimed = False
        if self._resume is not None:
            await self._open_resumed(wire, above, self._resume)
            return
        claim = self._stream.begin(above, held)
        await _written(wire, claim)
        self._claimed = True
        self.counters.epochs += 1
        self._go_live(wire, 0 if self._stream.has_snapshots else 1)

    async def _open_resumed(self, wire: Wire, above: int, resume: Resume) -> None:
        """Open an epoch that goes on from what was published, by whomever, up to its first entry."""
        stream, reading = self._stream, PublishedReading(wire, self.name)
        await reading.snapshot()
        while True:
            published = await reading.journal()
            if (resumed := resume(published)) is not None:
                await resumed
            claim, first = stream.begin_resumed(max(above, epoch_of(reading.newest)))
            above = stream.last.epoch
            await _written(wire, claim)
            await _written(wire, first)
            # Behind our first entry nobody else writes; what the writer before us wrote since we read is before it.
            if await reading.is_complete(MessageId(above, 1)):
                break
            _log.info("%s: another writer was still at work; going on from what it wrote", self.name)
        self._claimed = True
        self.counters.epochs += 1
        self._go_live(wire, 1)

    def _go_live(self, wire: Wire, after: int) -> None:
        self._stream.go_on(wire, after)
        # A reader that follows the channel learns from this message that there is something to recover.
        self._stream.write_status()
        self._become("live")
        self._opened.set()

    def _stand_by(self) -> None:
        self.counters.fenced += 1
        self._become("standby")
        self._stream.acknowledged.fail(WriterFenced(str(self.name)))
        _log.warning("%s: a newer writer has the stream; standing by", self.name)

    async def _silence(self, wire: Wire) -> int:
        """Wait until nobody has written for 10 s; give the newest epoch there."""
        heard, since = await self._newest(wire), time.monotonic()
        while time.monotonic() - since < STANDBY_SILENCE_S:
            await asyncio.sleep(_TICK_S)
            newest = await self._newest(wire)
            if newest != heard:
                heard, since = newest, time.monotonic()
        return max(map(epoch_of, heard))

    async def _serve(self, wire: Wire) -> Refused | None:
        """Repeat the status and write snapshots when due, until the wire is lost (None) or Redis refuses."""
        stream, refusal = self._stream, self._stream.refusal
        while True:
            await asyncio.wait((wire.lost, refusal), timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
            if refusal.done():
                return refusal.result()
            if wire.lost.done():
                return None
            now = time.monotonic()
            if now - stream.sent_at >= STATUS_REPEAT_S - _TICK_S:
                stream.write_status()
            if now - stream.snapshot_at >= self._snapshot_interval_s:
                stream.write_snapshot()

    async def _newest(self, wire: Wire) -> tuple[MessageId | None, MessageId | None]:
        """Return the ids of the newest entry of the journal, and of the snapshots."""
        found = await asyncio.gather(
            wire.call("XREVRANGE", str(self.name), "+", "-", "COUNT", 1),
            wire.call("XREVRANGE", self.name.snapshot, "+", "-", "COUNT", 1),
        )
        journal, snapshots = (entry_message_id(entries[0][0]) if entries else None for entries in found)
        return journal, snapshots

    def _become(self, state: WriterState) -> None:
        if state != self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)


async def _written(wire: Wire, commands: bytes) -> None:
    """Send an XADD and its PUBLISH; wait until the first is acknowledged.

    Raises:
        Disconnected, Refused: it may not be, or is not, in the journal.
    """
    taken: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    wire.send(commands, (into(taken), None))
    await taken
