"""The outgoing messages of one stream: numbered, encoded once, kept for a while, sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from millrace_bus.connection.connection import Connection, pack_all
from millrace_bus.connection.outbox import Outbox
from millrace_bus.errors import CommandRefused, Disconnected, MessageTooLarge
from millrace_bus.reading.journal_index import registering
from millrace_bus.reading.published import Published
from millrace_bus.writing.publish_commands import AnswerCommands, PublishCommands, sinks
from millrace_bus.writing.resend_buffer import Acknowledged, ResendBuffer
from millrace_core.clock import now_ms, now_ns
from millrace_core.ids import MessageId
from millrace_core.messages import LARGEST_MESSAGE, MessageType, Outgoing, Status, decode, encode
from millrace_core.names import StreamName
from millrace_core.trace import NO_TRACE, Trace

ANSWERS_KEPT_S = 24 * 3600
"""How long a stream of answers is kept after its writer is gone."""

TakeSnapshot = Callable[[MessageId], Any]
BeforeEpoch = Callable[[Published | None], Awaitable[None] | None]
"""Called before an epoch begins, with the published state or None; it may return an awaitable. Nothing else runs
between its end and the epoch's first snapshot, which therefore holds the state that it made.
"""


class WriterCounters(msgspec.Struct):
    """Running totals of one writer."""

    messages: int = 0
    snapshots: int = 0
    resent: int = 0
    """Messages written again after an outage."""
    epochs: int = 0
    """Epochs opened; more than one means that an outage outlasted the buffer, or a fence."""
    fenced: int = 0
    """Times that a newer writer took over."""
    dropped: int = 0
    """Messages that no reader will see one by one; the next epoch's snapshot includes their effect."""


class NumberedStream:
    """Numbers, encodes, keeps and sends the messages of one stream, in one epoch after the other.

    It sends only in a *session*: on a connection on which the stream's end matches this writer's state. Outside of one
    the messages are kept, up to the size of the buffer.
    """

    def __init__(self, name: StreamName, outbox: Outbox, take_snapshot: TakeSnapshot | None, retention: int) -> None:
        self.counters = WriterCounters()
        self.acknowledged = Acknowledged()
        self.kept = ResendBuffer(retention)
        self.status = Status("live")
        self.sent_at = self.snapshot_at = 0.0
        """By the monotonic clock, s."""
        self.refusal: asyncio.Future[CommandRefused] = asyncio.get_running_loop().create_future()
        """For the current session: done once Redis refused a message, which ends the session."""
        self.has_hole = False
        """Whether Redis took a message of the current session after it had refused one before it."""
        self.snapshot_due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the next snapshot is due, by the number of deltas since the last."""
        self.last = MessageId(now_ms(), 0)
        """Id of the last message; its epoch is provisional until the first `begin`."""
        self._take_snapshot = take_snapshot
        self._name, self._outbox = name, outbox
        self._connection: Connection | None = None
        commands = PublishCommands if take_snapshot is not None else AnswerCommands
        self._publish_commands = commands(str(name), retention=retention)
        self._sinks = sinks(self._publish_commands, self._took)
        self._snapshot_commands = PublishCommands(name.snapshot, retention=2, exact=True)
        self._answered = 0
        """Number of the last message of the session that Redis has answered, by taking or by refusing it."""
        self._refused_one = False
        self._snapshots = self._since_snapshot = 0
        self._snapshot_after = max(1, retention // 2)

    @property
    def in_session(self) -> bool:
        """Tell whether messages are sent now."""
        return self._connection is not None and not self._connection.lost.done()

    @property
    def snapshots(self) -> int:
        """Return the number of snapshots of this epoch."""
        return self._snapshots

    @property
    def has_snapshots(self) -> bool:
        """Tell whether the stream has snapshots, so that a new epoch needs none of the earlier messages."""
        return self._take_snapshot is not None

    @property
    def claim_replies(self) -> int:
        """How many replies the commands that claim an epoch get."""
        return PublishCommands.replies if self.has_snapshots else self._publish_commands.replies

    def write(self, kind: MessageType, data: Any, timestamp: int | None = None, trace: Trace = NO_TRACE) -> MessageId:
        """Number a message, keep it and, in a session, send it.

        Raises:
            MessageTooLarge: it has no number, and readers miss nothing but what it would have told.
        """
        epoch, seq = self.last
        entry_id = f"{epoch}-{seq + 1}"
        # An answer carries its request's way: `published` there is when the tick that caused it was.
        trace = trace if kind == "response" else trace.published_at(now_ns())
        message = self._encoded(Outgoing(entry_id, kind, timestamp, trace, data))
        self.last = last = MessageId(epoch, seq + 1)
        if not self.kept.append(
            seq + 1, time.monotonic_ns(), message, self.acknowledged.seq, is_connected=self._connection is not None
        ):
            self.counters.dropped += 1
        self.counters.messages += 1
        if self._connection is not None:
            self.sent_at = time.monotonic()
            self._outbox.put(self._publish_commands.write(entry_id, message), self._sinks)
        if kind == "delta":
            self._since_snapshot += 1
            if self._since_snapshot >= self._snapshot_after:
                self._want_snapshot()
        return last

    def write_status(self) -> MessageId:
        """Write the status (again): whether the last published state still holds."""
        return self.write("status", self.status.as_text())

    def write_snapshot(self) -> None:
        """Write a snapshot; do nothing outside of a session."""
        if self._connection is not None and self._take_snapshot is not None:
            self._outbox.put(self._snapshot(self._take_snapshot), (self._took_snapshot, None))
            if self.status != Status("live"):
                # A reader that begins at this snapshot has not seen it: it takes a stream of deltas for a live one, and
                # does not know the terms of the market.
                self.write_status()

    def register(self) -> None:
        """Register the journals; those of answers expire a day after their writer is gone, others stay.

        Does nothing outside of a session.
        """
        if self._connection is not None:
            name = self._name
            commands = (
                registering(name.tenant, str(name), name.snapshot)
                if self.has_snapshots
                else registering(name.tenant, str(name), expire_after_s=ANSWERS_KEPT_S)
            )
            self._outbox.put(pack_all(commands), [None] * len(commands))

    def begin(self, above: int, kept_from: int) -> bytes:
        """Begin a new epoch beyond `above`, outside of any session; return the commands that claim it.

        If a snapshot opens the epoch, it includes all earlier messages. Otherwise the messages kept beyond `kept_from`
        get new numbers, so that nothing is lost.
        """
        self.end_session()
        kept = self.kept.after(kept_from)
        self.kept.clear()
        self.last = MessageId(max(now_ms(), above + 1), 0)
        self._snapshots = 0
        self.acknowledged.restart(self.last, last=1 + len(kept))
        if self._take_snapshot is not None:
            self.counters.dropped += len(kept)
            claim = self._snapshot(self._take_snapshot)
        else:
            self.write_status()
            claim = self._publish_commands.write(str(self.last), self.kept.after(0)[0][1])
            self._renumber(kept)
        return claim

    def begin_resumed(self, above: int) -> tuple[bytes, bytes]:
        """Begin a new epoch as `begin` does, with a snapshot of what was published before.

        Return the commands that claim it, and those of its first message, a status. The buffer is cleared: what the
        published messages lack is handed in again.
        """
        self.end_session()
        self.kept.clear()
        self.last = MessageId(max(now_ms(), above + 1), 0)
        self._snapshots = 0
        self.acknowledged.restart(self.last, last=1)
        if self._take_snapshot is None:
            raise ValueError("a stream without snapshots has nothing to resume from")
        claim = self._snapshot(self._take_snapshot)
        first = self.write_status()
        return claim, self._publish_commands.write(str(first), self.kept.after(0)[0][1])

    def go_on(self, connection: Connection, after: int) -> None:
        """Begin a session in which Redis holds everything up to `after`; send the later messages."""
        self.acknowledged.restart(MessageId(self.last.epoch, after), last=self.last.seq)
        self.refusal = asyncio.get_running_loop().create_future()
        self._answered, self._refused_one, self.has_hole = after, False, False
        self._connection = connection
        for seq, message in self.kept.after(after):
            self._outbox.put(self._publish_commands.write(f"{self.last.epoch}-{seq}", message), self._sinks)

    def end_session(self) -> None:
        """Send nothing until the next session."""
        self._connection = None

    def _renumber(self, kept: list[tuple[int, bytes]]) -> None:
        for old in (decode(message) for _, message in kept):
            if old.type != "status":
                self.write(old.type, old.data, old.timestamp, old.trace)

    def _snapshot(self, take: TakeSnapshot) -> bytes:
        self._snapshots += 1
        self._since_snapshot = 0
        if self.snapshot_due.done():
            self.snapshot_due = asyncio.get_running_loop().create_future()
        self.snapshot_at = time.monotonic()
        self.counters.snapshots += 1
        entry_id = f"{self.last.epoch}-{self._snapshots}"
        whole = Outgoing(entry_id, "snapshot", None, Trace(published=now_ns()), take(self.last))
        return self._snapshot_commands.write(entry_id, self._encoded(whole))

    def _encoded(self, message: Outgoing) -> bytes:
        text = encode(message)
        if len(text) > LARGEST_MESSAGE:
            raise MessageTooLarge(str(self._name), len(text), LARGEST_MESSAGE)
        return text

    def _want_snapshot(self) -> None:
        if self.has_snapshots and not self.snapshot_due.done():
            # Not here and now: the caller may not have changed yet what the snapshot is taken from.
            self.snapshot_due.set_result(None)

    def _took(self, reply: Any) -> None:
        self._answered += 1
        if type(reply) is not bytes:
            self._refused_one |= isinstance(reply, CommandRefused)
            self._took_snapshot(reply)
        elif self._refused_one:
            # The refused one can have its place in the journal no more. This one has its own, and needs no other.
            self.has_hole = True
            self.kept.forget(self._answered)
        else:
            self.acknowledged.one()

    def _took_snapshot(self, reply: Any) -> None:
        if isinstance(reply, Disconnected):
            self.end_session()
        elif isinstance(reply, CommandRefused):
            self.end_session()
            if not self.refusal.done():
                self.refusal.set_result(reply)
