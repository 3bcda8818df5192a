"""One recorded stream, played to its listeners as a reader of the live stream would show it. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from millrace_bus import FollowerStatus, Update, UpdateKind
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import BookDelta, TradesDelta
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Message, MessageType, Status
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of
from millrace_core.trace import Trace

_NOTHING: Final[Sequence[Update]] = ()


class ArrivedMessage(msgspec.Struct, frozen=True):
    """A message with everything that is known of it before its turn comes."""

    place: MessageId
    after: tuple[int, int]
    """The place before it."""
    type: MessageType
    timestamp: int | None
    trace: Trace
    """With `delivered` stamped, except of an answer, which has the trace of its request."""
    data: msgspec.Raw
    delta: BookDelta | TradesDelta | None = None
    """The data of a book or of trades, where it was decoded ahead."""


def arrived(message: Message, at_ns: int, delta: BookDelta | TradesDelta | None = None) -> ArrivedMessage:
    """Return a message that arrived at a time (ns).

    Raises:
        InvalidName: its id has another form.
    """
    trace = message.trace if message.type == "response" else message.trace.delivered_at(at_ns)
    place = message.message_id
    return ArrivedMessage(
        place, (place.epoch, place.seq - 1), message.type, message.timestamp, trace, message.data, delta
    )


class StreamPlayback:
    """Builds the state of one stream from its recorded messages, by the rules for readers (docs/protocol.md).

    Messages that were published before the recording began belong to the beginning: the state includes them, and no
    update tells of them, as to a strategy that starts then. Numbers are floats, unless they are to be `exact`.
    """

    def __init__(self, name: StreamName, began_ns: int, *, exact: bool = False) -> None:
        self.name = name
        self._exact = exact
        self.state: StreamState = state_of(name.action, exact=exact)
        self.trusted = not name.has_snapshots
        self.flaws = 0
        """How often a checksum, or a crossed book, proved the state wrong."""
        self.lost = 0
        """How often messages were missing."""
        self._has_snapshots = name.has_snapshots
        self._began_ns = began_ns
        self._at: MessageId | None = None
        self._said: FollowerStatus = "unknown"
        self._market: MarketTerms | None = None
        self._is_hidden = name.has_snapshots
        """Whether the state is not shown yet: it has not begun, or what belongs to its beginning follows."""
        self._snapshot: tuple[MessageId, msgspec.Raw] | None = None

    def snapshot(self, message: Message) -> None:
        """Take a snapshot of the stream; it is used at the beginning, and where messages were lost."""
        try:
            as_of = _as_of(message.data)
        except InvalidMessage:
            return
        self._snapshot = as_of, message.data
        if not self.trusted and (self._at is None or as_of >= self._at):
            self._restore(as_of, message.data)

    def message(self, message: ArrivedMessage) -> Sequence[Update]:
        """Take the next message of the stream; return the updates that a reader gets."""
        place, last = message.place, self._at
        if not self._is_hidden and message.after == last:
            return self._apply(message)
        if last is not None and place <= last:
            return _NOTHING
        updates: list[Update] = []
        if self._has_snapshots and (message.after != last):
            updates += self._resume(place)
            if message.after != self._at:
                return updates
        if self._is_hidden and not self._belongs_to_the_beginning(message):
            self._is_hidden = False
            updates.append(self._shown("snapshot"))
        updates += self._apply(message)
        return updates

    def welcome(self) -> Sequence[Update]:
        """Return what a reader is told that joins now: the state, if it is there and right."""
        if self._is_hidden or not self.trusted or not self._has_snapshots:
            return _NOTHING
        return (self._shown("snapshot"),)

    def gap(self) -> Sequence[Update]:
        """Take it that messages are missing; return the updates that a reader gets."""
        if not self.trusted or not self._has_snapshots:
            return _NOTHING
        self.lost += 1
        return self._distrust()

    def _belongs_to_the_beginning(self, message: ArrivedMessage) -> bool:
        published = message.trace.published
        return not self.trusted or (published is not None and published < self._began_ns)

    def _resume(self, place: MessageId) -> Sequence[Update]:
        """Continue at the newest snapshot if the message follows it: a new epoch, or one file after another."""
        is_loss = self._at is not None and place.epoch == self._at.epoch
        updates = self.gap() if is_loss else self._distrust()
        if self._snapshot is not None and place.follows(self._snapshot[0]):
            self._restore(*self._snapshot)
        return updates

    def _restore(self, as_of: MessageId, data: msgspec.Raw) -> None:
        state = state_of(self.name.action, exact=self._exact)
        try:
            state.reset(data)
        except InvalidMessage:
            self.flaws += 1
            return
        self.state, self._at, self._is_hidden = state, as_of, True
        self.trusted = state.flaw() is None
        self.flaws += not self.trusted

    def _apply(self, message: ArrivedMessage) -> Sequence[Update]:
        state: Any = self.state
        data: Any
        kind, delta = message.type, message.delta
        try:
            if delta is not None:
                data = state.take(delta)
            else:
                data = self._status(message.data) if kind == "status" else state.apply(message.data)
            flaw = state.flaw()
        except InvalidMessage as error:
            data, flaw = None, str(error)
        place = self._at = message.place
        if flaw is not None:
            self.flaws += 1
            return self._distrust()
        if self._said == "unknown":
            self._said = "live"
        if self._is_hidden:
            return _NOTHING
        timestamp, trace = message.timestamp, message.trace
        return (Update(self.name, place, kind, data, state, self.trusted, self._said, timestamp, trace, self._market),)

    def _status(self, data: msgspec.Raw) -> Status:
        try:
            status = _STATUS.decode(data)
        except UNREADABLE as error:
            raise InvalidMessage(()) from error
        self._said = status.status
        self._market = status.market or self._market
        return status

    def _distrust(self) -> Sequence[Update]:
        if not self.trusted or not self._has_snapshots:
            return _NOTHING
        self.trusted = False
        if self._is_hidden:
            return _NOTHING
        self._is_hidden = True
        return (self._shown("untrusted"),)

    def _shown(self, kind: UpdateKind) -> Update:
        """Return an update that no message brought."""
        return Update(self.name, self._at, kind, None, self.state, self.trusted, self._said, market=self._market)


class _AsOf(msgspec.Struct, rename="camel"):
    as_of: str


_STATUS = msgspec.json.Decoder(Status)
_AS_OF = msgspec.json.Decoder(_AsOf)


def _as_of(data: msgspec.Raw) -> MessageId:
    """Return which messages a snapshot includes.

    Raises:
        InvalidMessage: it does not say.
    """
    try:
        return MessageId.parse(_AS_OF.decode(data).as_of)
    except (InvalidName, *UNREADABLE) as error:
        raise InvalidMessage(()) from error
