"""The one writer of a stream. See docs/protocol.md, "The message" and "Writers after an outage"."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from millrace_bus.connection.connection import Connection
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import REFUSED_RETRIES, ReconnectingConnection, RefusalLimit
from millrace_bus.connection.script import MISSING as MISSING_SCRIPT
from millrace_bus.errors import BusError, CommandRefused, Disconnected, StreamBlocked, TaskFailed, WriterFenced
from millrace_bus.reading.journal_index import REGISTER_EVERY_S
from millrace_bus.reading.journal_page import entry_message_id
from millrace_bus.reading.published import PublishedReading
from millrace_bus.tasks import BackgroundTask
from millrace_bus.writing.numbered import BeforeEpoch, NumberedStream, TakeSnapshot, WriterCounters
from millrace_bus.writing.publish_commands import ANSWER, written
from millrace_bus.writing.resume_policy import Fenced, Intruded, NewEpoch, Resend, decide, epoch_of
from millrace_core.backoff import Backoff
from millrace_core.ids import MessageId
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Status, StreamStatus
from millrace_core.names import StreamName
from millrace_core.trace import NO_TRACE, Trace

WriterState = Literal["closed", "live", "standby", "disconnected"]
"""`standby`: a newer writer has taken over the stream. `disconnected`: messages are kept until Redis is back."""

STATUS_REPEAT_S = 5.0
"""A stream is never silent for longer: readers consider it dead after twice that."""
STANDBY_QUIET_S = 10.0
"""A fenced writer opens the stream again after this long without a message from another writer."""
_TICK_S = 1.0
_CLOSE_TIMEOUT_S = 1.0

_log = logging.getLogger("millrace.bus")


class StreamWriter:
    """The one writer of a stream; made by `Bus.writer`."""

    def __init__(
        self,
        name: StreamName,
        take_snapshot: TakeSnapshot | None,
        reconnecting: ReconnectingConnection,
        outbox: Outbox,
        *,
        retention: int = 10_000,
        snapshot_interval_s: float = 60.0,
        on_state: Callable[[WriterState], None] | None = None,
        resume: BeforeEpoch | None = None,
        on_lost: Callable[[], None] | None = None,
        open_writers: "set[StreamWriter]",
    ) -> None:
        self.name = name
        self._open_writers = open_writers
        """Set of open writers, which the bus closes when it ends."""
        self._reconnecting, self._on_state, self._resume = reconnecting, on_state, resume
        self._on_lost = on_lost
        self._snapshot_interval_s = snapshot_interval_s
        self._stream = NumberedStream(name, outbox, take_snapshot, retention)
        self._state: WriterState = "closed"
        self._claimed = False
        """Whether Redis has accepted the first entry of our epoch."""
        self._is_refused = False
        """Whether Redis refused the last write: the writer is `live` again after a second without a refusal."""
        self._keeper: BackgroundTask | None = None
        self._failure: TaskFailed | None = None
        self._ended = asyncio.Event()
        self._opened = asyncio.Event()
        self._was_opened = False

    @property
    def state(self) -> WriterState:
        """Tell whether messages reach Redis now."""
        # The keeper learns of an outage one turn of the event loop after the connection does.
        return "disconnected" if self._state == "live" and not self._stream.in_session else self._state

    @property
    def counters(self) -> WriterCounters:
        """Return the running totals."""
        return self._stream.counters

    @property
    def last(self) -> MessageId | None:
        """Return the id of the last message; None before `open`."""
        return self._stream.last if self._opened.is_set() else None

    async def open(self, status: StreamStatus = "live", reason: str | None = None) -> None:
        """Choose the epoch, write the first snapshot and then the status; wait for Redis without a limit.

        What `take_snapshot` raises is raised here. Later it ends the writer: see `failed`.

        Raises:
            BusError: it was opened before. A writer opens once.
        """
        if self._was_opened:
            raise BusError(f"{self.name}: a writer can be opened only once; create another")
        self._was_opened = True
        self._open_writers.add(self)
        self._stream.status = Status(status, reason, self._stream.status.market)
        self._become("disconnected")
        self._keeper = BackgroundTask(self._keep(), f"writer {self.name}", self._fail)
        try:
            await self._opened.wait()
        finally:
            if not self._opened.is_set():
                # Cancelled: nobody waits for it any more.
                await self._end()
        if self._failure is not None:
            raise self._failure.__cause__ or self._failure

    async def failed(self) -> NoReturn:
        """Wait for the error that ends the writer, and raise it; never return otherwise.

        It comes from `take_snapshot` or `resume`, is Redis's permanent refusal (`CommandRefused`), or was not foreseen.
        """
        await self._ended.wait()
        raise self._failure.__cause__ or self._failure if self._failure else AssertionError("it has not failed")

    def delta(self, data: Any, *, timestamp: int | None = None, trace: Trace = NO_TRACE) -> MessageId:
        """Publish a change, with `trace.published` stamped; return its id.

        Never blocks and never raises for an outage: it is sent with everything else from this turn of the event loop,
        or kept until Redis is back. In standby it is dropped and counted. Change what `take_snapshot` reads in the same
        turn: a snapshot is taken between turns.

        Raises:
            BusError: the writer is not open.
            MessageTooLarge: it has more than 16 MiB; it was not published.
            TaskFailed: an error has ended it.
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
        """Publish whether the last published state still holds; repeated when nothing else is sent for 5 s."""
        return self._say(Status(status, reason, self._stream.status.market))

    def market(self, terms: MarketTerms) -> None:
        """Publish the terms of the stream's market, with its status, from now on; before `open`, with the first one."""
        said = self._stream.status
        if terms != said.market:
            self._say(Status(said.status, said.reason, terms))

    def _say(self, status: Status) -> MessageId:
        self._stream.status = status
        if self._state in ("closed", "standby"):
            return self._stream.last
        return self._stream.write_status()

    def snapshot(self) -> None:
        """Write a snapshot now, in addition to the regular ones; do nothing during an outage."""
        self._stream.write_snapshot()

    async def drained(self) -> None:
        """Wait until Redis has acknowledged all messages so far.

        Raises:
            WriterFenced: a newer writer has taken over the stream; this one's messages were refused.
            TaskFailed: an error has ended it.
        """
        self._check()
        if self._state == "standby":
            raise WriterFenced(str(self.name))
        await self._stream.acknowledged.wait_for(self._stream.last.seq)

    async def close(self, reason: str | None = None) -> None:
        """Publish `closed` (if Redis can be reached at once) and stop. Closing twice is harmless."""
        if self._keeper is None:
            return
        if self._state == "live":
            self.status("closed", reason)
            self._stream.register()
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self.drained()
            except (TimeoutError, WriterFenced, TaskFailed):
                _log.warning("%s: closed before Redis confirmed the last messages", self.name)
        await self._end()

    async def _end(self) -> None:
        keeper, self._keeper = self._keeper, None
        self._open_writers.discard(self)
        if keeper is not None:
            await keeper.close()
        self._stream.end_session()
        self._become("closed")

    def _fail(self, failure: TaskFailed) -> None:
        """End the writer with an error; all waiters get it."""
        self._failure = failure
        self._stream.end_session()
        self._stream.acknowledged.fail(failure)
        self._become("closed")
        if self._opened.is_set():
            _log.error("%s", failure)
        self._opened.set()
        self._ended.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _drop(self) -> MessageId:
        if self._keeper is None:
            raise BusError(f"{self.name}: the writer is not open")
        self._check()
        self.counters.dropped += 1
        return self._stream.last

    async def _keep(self) -> None:
        """Resume the stream after each outage and refusal, until closed; raise a refusal that is permanent."""
        pauses, limit = Backoff(REFUSED_RETRIES), RefusalLimit()
        while True:
            connection = await self._reconnecting.up()
            trouble: CommandRefused | None = None
            try:
                await self._meet(connection)
                trouble = await self._serve(connection)
            except CommandRefused as refused:
                trouble = refused
            except Disconnected:
                pass
            self._stream.end_session()
            self._become("disconnected")
            if trouble is not None and trouble.code == MISSING_SCRIPT:
                connection.abort()
                continue
            self._is_refused = trouble is not None and "equal or smaller" not in str(trouble)
            if self._is_refused:
                # Not a fence but a Redis that cannot write (out of memory, read only): it may recover.
                _log.error("%s: Redis refuses writes: %s", self.name, trouble)
                limit.check(trouble)
                await asyncio.sleep(pauses.failed())
            else:
                pauses.recovered()

    async def _meet(self, connection: Connection) -> None:
        """Take the stream over and go live; wait until another writer leaves it.

        Raises:
            Disconnected, CommandRefused: the connection or Redis failed; then try again.
        """
        if not self._stream.has_snapshots:
            connection.send(ANSWER.load(), [None])
        newest, newest_snapshot = await self._newest(connection)
        stream = self._stream
        if not self._claimed:
            await self._open_epoch(connection, max(epoch_of(newest), epoch_of(newest_snapshot)), 0)
            return
        hole = stream.acknowledged.seq if stream.has_hole else None
        match decide(stream.last, stream.snapshots, stream.kept.first, newest, newest_snapshot, hole):
            case Resend(after):
                self.counters.resent += stream.last.seq - after
                self._go_live(connection, after)
                stream.write_snapshot()
            case NewEpoch(above, held):
                await self._open_epoch(connection, above, held)
            case Intruded(epoch):
                _log.error("%s: another program wrote in this writer's epoch; a new one begins", self.name)
                await self._open_epoch(connection, epoch, stream.acknowledged.seq)
            case Fenced(_):
                self._stand_by()
                above = await self._until_silent(connection)
                # From here on what is handed in is kept: it may come after the first snapshot was taken.
                self._become("disconnected")
                await self._open_epoch(connection, above, stream.acknowledged.seq)

    async def _open_epoch(self, connection: Connection, above: int, held: int) -> None:
        self._claimed = False
        if self._resume is not None:
            await self._open_resumed(connection, above, self._resume)
            return
        claim = self._stream.begin(above, held)
        await written(connection, claim, self._stream.claim_replies)
        self._claimed = True
        self.counters.epochs += 1
        self._go_live(connection, 0 if self._stream.has_snapshots else 1)

    async def _open_resumed(self, connection: Connection, above: int, resume: BeforeEpoch) -> None:
        """Open an epoch that continues from the published state of all writers, up to its first entry."""
        stream, reading = self._stream, PublishedReading(connection, self.name)
        await reading.snapshot()
        while True:
            published = await reading.journal()
            if (resumed := resume(published)) is not None:
                await resumed
            claim, first = stream.begin_resumed(max(above, epoch_of(reading.newest)))
            above = stream.last.epoch
            await written(connection, claim)
            await written(connection, first)
            # Behind our first entry nobody else writes; what the writer before us wrote since we read is before it.
            if await reading.is_complete(MessageId(above, 1)):
                break
            _log.info("%s: another writer was still active; resuming after its last message", self.name)
        self._claimed = True
        self.counters.epochs += 1
        self._go_live(connection, 1)

    def _go_live(self, connection: Connection, after: int) -> None:
        self._stream.go_on(connection, after)
        # A reader that follows the channel learns from this message that there is something to recover.
        self._stream.write_status()
        self._stream.register()
        if not self._is_refused:
            self._become("live")
        self._opened.set()

    def _stand_by(self) -> None:
        self.counters.fenced += 1
        self._become("standby")
        self._stream.acknowledged.fail(WriterFenced(str(self.name)))
        _log.warning("%s: a newer writer has taken over the stream; on standby", self.name)

    async def _until_silent(self, connection: Connection) -> int:
        """Wait for 10 s without a message of any writer; return the newest epoch."""
        found, since = await self._newest(connection), time.monotonic()
        while time.monotonic() - since < STANDBY_QUIET_S:
            await asyncio.sleep(_TICK_S)
            newest = await self._newest(connection)
            if newest != found:
                found, since = newest, time.monotonic()
        return max(map(epoch_of, found))

    async def _serve(self, connection: Connection) -> CommandRefused | None:
        """Repeat the status and write snapshots when due, until the connection is lost (None) or Redis refuses."""
        stream, refusal = self._stream, self._stream.refusal
        started = registered_at = looked_at = time.monotonic()
        while True:
            ends: list[asyncio.Future[Any]] = [connection.lost, refusal, stream.snapshot_due]
            await asyncio.wait(ends, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
            if refusal.done():
                return refusal.result()
            if connection.lost.done():
                return None
            now = time.monotonic()
            if now - started >= _TICK_S:
                self._is_refused = False
                self._become("live")
            if now - registered_at >= REGISTER_EVERY_S:
                registered_at = now
                stream.register()
            if now - stream.sent_at >= STATUS_REPEAT_S - _TICK_S:
                stream.write_status()
            if now - looked_at >= STATUS_REPEAT_S:
                looked_at = now
                await self._restore_snapshot(connection)
            if stream.snapshot_due.done() or now - stream.snapshot_at >= self._snapshot_interval_s:
                stream.write_snapshot()

    async def _restore_snapshot(self, connection: Connection) -> None:
        """Write a snapshot if Redis has none: it has lost its data over a connection that stayed, as by `FLUSHALL`."""
        if self._stream.has_snapshots and not await connection.call("XLEN", self.name.snapshot):
            _log.error("%s: Redis has lost its snapshots; a new one is written", self.name)
            # It includes this message, which the journal has: so a reader finds where to go on.
            self._stream.write_status()
            self._stream.write_snapshot()
            if self._on_lost is not None:
                self._on_lost()

    async def _newest(self, connection: Connection) -> tuple[MessageId | None, MessageId | None]:
        """Return the ids of the newest entry of the journal, and of the snapshots.

        Raises:
            StreamBlocked: no writer has such an id.
        """
        found = await asyncio.gather(
            connection.call("XREVRANGE", str(self.name), "+", "-", "COUNT", 1),
            connection.call("XREVRANGE", self.name.snapshot, "+", "-", "COUNT", 1),
        )
        journal, snapshots = (entry_message_id(entries[0][0]) if entries else None for entries in found)
        for key, newest in ((str(self.name), journal), (self.name.snapshot, snapshots)):
            if newest is not None and newest.is_last:
                raise StreamBlocked(key, newest)
        return journal, snapshots

    def _become(self, state: WriterState) -> None:
        if state != self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)
