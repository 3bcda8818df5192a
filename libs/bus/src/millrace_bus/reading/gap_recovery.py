"""The rules by which a reader never shows a silent gap: docs/protocol.md, "Readers". Pure: no I/O, no clock.

`GapRecovery` takes messages from the channel and the results of reads. `need` says what to read next; `tell` is called
with each update for the reader. A result is handed back with the need that it answers, and ignored if that need is no
longer current.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from millrace_bus.reading.updates import FollowerCounters, FollowerStatus, UpdateKind
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Message, Status, decode
from millrace_core.states import StreamState

Tell = Callable[[UpdateKind, MessageId | None, Any, Message | None], None]
Entry = tuple[MessageId, bytes]
"""An entry of a journal: its id and the message."""

BUFFERED = 10_000
"""Messages that are held while the journal is read; of more the oldest are dropped, and read from the journal."""

_STATUS = msgspec.json.Decoder(Status)


class Need(NamedTuple):
    """The next thing to read; compared by identity."""

    what: Literal["snapshot", "journal", "newest"]
    """The newest snapshot; a page of the journal from `at` on, that entry included; the journal's newest id."""
    at: MessageId


class GapRecovery:
    """State of one reader of one stream, and its recovery."""

    def __init__(
        self, make_state: Callable[[], StreamState], tell: Tell, *, has_snapshots: bool, from_start: bool = False
    ) -> None:
        self.state = make_state()
        """What the messages up to `at` add up to; replaced as a whole when it starts again at a snapshot."""
        self.trusted = False
        self.need: Need | None = None
        self.attempts = 0
        """Failed starts in a row; each is followed by a longer pause."""
        self.counters = FollowerCounters()
        self.said: FollowerStatus = "unknown"
        """The writer's last status of its stream."""
        self.market: MarketTerms | None = None
        """The terms of the stream's market, as the writer said them last."""
        self._make_state, self._tell = make_state, tell
        self._has_snapshots, self._from_start = has_snapshots, from_start
        self._at = BEGINNING
        self._building: StreamState | None = None
        """State under construction: begun from a snapshot, not yet complete. Not visible to the reader."""
        self._is_begun = False
        """Whether `_at` is valid: the place of a snapshot, or where reading of answers began."""
        self._was_trusted = self._anchored = self._filling = self._is_subscribed = self._waiting = False
        self._buffer: deque[tuple[MessageId, Message]] = deque(maxlen=BUFFERED)
        self._received_before = 0
        """How many of the buffered messages came before the current page of the journal was asked for."""

    @property
    def last(self) -> MessageId | None:
        """Return the id of the last applied message; None before the first."""
        return self._at if self._at > BEGINNING else None

    def subscribed(self) -> None:
        """Find out what was missed; from now on no message on the channel is."""
        self._is_subscribed = True
        if self._is_begun and self._building is None:
            self._read_journal()
        else:
            self._begin()

    def disconnected(self) -> None:
        """Note that the channel is lost: messages are missed from now on."""
        self._is_subscribed = self._waiting = self._filling = False
        self.need = None
        self._buffer.clear()
        self._distrust()

    def on_message(self, identity: MessageId, message: Message) -> None:
        """Take a message from the channel."""
        at = self._at
        if self.need is not None or not self._is_subscribed:
            self._buffer.append((identity, message))
        elif self._waiting:
            self._buffer.append((identity, message))
            self._begin()
        elif identity <= at:
            self.counters.duplicates += 1
            if identity.epoch < at.epoch:
                self._question_epoch()
            # The journal ended before this message; now the writer has written it again, so it stands there.
            elif identity == at and not self.trusted:
                self._trust()
        elif identity.follows(at):
            if self._apply(identity, message) and not self.trusted:
                self._trust()
        else:
            self._recover(identity, message)

    def took_snapshot(self, need: Need, message: Message | None) -> None:
        """Take the newest snapshot, or None."""
        if need is not self.need:
            return
        self.need = None
        if message is None:
            self._await_first()
            return
        self._building = self._make_state()
        try:
            self._at = self._building.reset(message.data)
        except (InvalidMessage, InvalidName):
            self.counters.malformed += 1
            self._again()
            return
        self._is_begun = True
        self._read_journal()

    def took_newest(self, need: Need, newest: MessageId | None) -> None:
        """Take the id of the journal's newest entry; None if the journal is empty."""
        if need is not self.need:
            return
        if not self._is_begun:
            # After an id that ends the journal for every writer, only another journal can begin: below it.
            self._at = BEGINNING if newest is None or newest.is_last else newest
            self._is_begun = self._anchored = True
        elif newest is not None and newest.epoch < self._at.epoch:
            self._leave_epoch()
            return
        self._drain()

    def took_journal(self, need: Need, entries: Sequence[Entry], *, is_end: bool) -> None:
        """Take a page of the journal; with `is_end` it was the last one."""
        if need is not self.need:
            return
        self.need = None
        # Between two pages the journal may be trimmed as well: then this one does not begin where the last one ended.
        self._anchored &= bool(entries) and entries[0][0] == need.at
        for identity, body in entries:
            if not identity.is_possible:
                self.counters.malformed += 1
            elif identity <= self._at:
                self._anchored |= identity == self._at
            elif not self._take_entry(identity, body):
                self._again()
                return
        if is_end:
            # Of an epoch that has not begun yet, the end of the journal is where it should be.
            self._anchored |= self._at.seq == 0
            self._drain(self._received_before)
        else:
            self._ask_journal(entries[-1][0])

    def _begin(self) -> None:
        """Start at the newest snapshot; of answers, at the journal's end or beginning."""
        self._waiting = self._filling = False
        if self._has_snapshots:
            self.need = Need("snapshot", BEGINNING)
        elif self._from_start:
            self._is_begun = True
            self._read_journal()
        else:
            self.need = Need("newest", BEGINNING)

    def _again(self) -> None:
        """Start again: the results do not fit together."""
        self.attempts += 1
        self._distrust()
        self._begin()

    def _question_epoch(self) -> None:
        """Ask how far the journal reaches: a message of an older epoch came.

        Its writer is fenced, unless Redis has lost our epoch, and the clock of the writer after that is behind.
        """
        self.need = Need("newest", self._at)

    def _leave_epoch(self) -> None:
        """Start again in a journal that ends in an older epoch; of answers, at its oldest."""
        if self._has_snapshots:
            self._again()
        else:
            self._distrust()
            self._start_answers_after(BEGINNING)
            self._read_journal()

    def _await_first(self) -> None:
        """Wait for the first snapshot: the stream does not exist yet, or the snapshot is on its way."""
        if self._buffer:
            self._again()
        else:
            self._waiting = True

    def _recover(self, identity: MessageId, message: Message) -> None:
        """Recover from a message that does not follow: messages were lost, or another writer has begun."""
        self._distrust()
        self._buffer.append((identity, message))
        if self._has_snapshots and identity.epoch != self._at.epoch:
            self._begin()
        else:
            self.counters.gaps += 1
            self._filling = True
            self._read_journal()

    def _read_journal(self) -> None:
        self._anchored = False
        self._ask_journal(self._at)

    def _ask_journal(self, at: MessageId) -> None:
        self.need = Need("journal", at)
        self._received_before = len(self._buffer)

    def _drain(self, received_before: int = 0) -> None:
        """Continue with the buffered messages: the journal is read to its end.

        A writer writes to the journal first. So of messages that were heard before the journal was asked for, those
        beyond its end claim what nothing shows. One in our epoch may be a writer's whom Redis refuses: the next message
        that follows decides. One in a later epoch is nobody's, for an epoch begins in the journal.
        """
        self.need = None
        waiting, self._buffer = self._buffer, deque(maxlen=BUFFERED)
        is_old = False
        for index in range(len(waiting)):
            if self.need is not None:
                break
            identity, message = waiting.popleft()
            if identity <= self._at:
                self.counters.duplicates += 1
                self._anchored |= identity == self._at
                is_old |= identity.epoch < self._at.epoch
            elif identity.follows(self._at):
                self._anchored |= self._apply(identity, message)
            elif index < received_before:
                self.counters.unproven += 1
                self._anchored &= identity.epoch != self._at.epoch
            else:
                self._recover(identity, message)
        self._buffer.extend(waiting)
        if self.need is not None:
            return
        # Else the journal ends before what we have: it lost its tail, and the writer will write it again.
        if self._anchored and not self.trusted:
            self._trust()
        if is_old:
            self._question_epoch()

    def _take_entry(self, identity: MessageId, body: bytes) -> bool:
        """Apply an entry of the journal; tell whether it fits."""
        if not identity.follows(self._at):
            if self._has_snapshots:
                return False
            if self._may_miss_before(identity):
                self._start_answers_after(MessageId(identity.epoch, max(identity.seq - 1, 0)))
        self._anchored = True
        try:
            message = decode(body)
        except InvalidMessage:
            self.counters.malformed += 1
            if self._has_snapshots:
                return False
            self._at = identity
            return True
        return self._apply(identity, message, from_journal=True)

    def _may_miss_before(self, identity: MessageId) -> bool:
        """Tell whether answers may be missing between the last one and the journal's next, which does not follow it."""
        if self._at == BEGINNING and self._from_start:
            return False
        # Of an epoch's first message the last one before it is known only if the journal still holds that.
        return identity.seq != 1 or not (self._anchored or self._at.seq == 0)

    def _start_answers_after(self, at: MessageId) -> None:
        """Go on after a place that is not the last message's, and tell so: the answers up to there do not come."""
        self._at = at
        self._filling = False
        self.counters.resyncs += 1
        self._tell("snapshot", self.last, None, None)

    def _apply(self, identity: MessageId, message: Message, *, from_journal: bool = False) -> bool:
        """Take a message into the state; tell whether the state is right. From the channel, start again if not."""
        state = self._building or self.state
        try:
            data = self._take_status(message) if message.type == "status" else state.apply(message.data)
            flaw = state.flaw()
        except InvalidMessage as error:
            data, flaw = None, str(error)
        self._at = identity
        if flaw is not None and not self._has_snapshots:
            self.counters.malformed += 1
            return True
        if flaw is not None:
            self.counters.flaws += 1
            if not from_journal:
                self._again()
            return False
        self.counters.messages += 1
        if self.said == "unknown":
            self.said = "live"
        if self._building is None:
            self._tell("delta" if message.type == "snapshot" else message.type, identity, data, message)
        return True

    def _take_status(self, message: Message) -> Status:
        try:
            status = _STATUS.decode(message.data)
        except UNREADABLE as error:
            raise InvalidMessage(()) from error
        self.said = status.status
        self.market = status.market or self.market
        return status

    def _trust(self) -> None:
        if self._building is not None:
            self.state, self._building = self._building, None
            self.counters.resyncs += self._was_trusted
        elif self._filling:
            self.counters.recoveries += 1
        self._filling = False
        self._was_trusted = self.trusted = True
        self.attempts = 0
        self._tell("snapshot", self.last, None, None)

    def _distrust(self) -> None:
        if self.trusted:
            self.trusted = False
            self._tell("untrusted", self.last, None, None)
