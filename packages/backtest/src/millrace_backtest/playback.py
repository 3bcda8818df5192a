"""One recorded stream, played to its listeners as a reader of the live stream would show it. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from millrace_bus import FollowerStatus, Update, UpdateKind
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Message, Status
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of

_NOTHING: Final[Sequence[Update]] = ()


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

    def message(self, message: Message, at_ns: int) -> Sequence[Update]:
        """Take a message of the stream that arrived at a time (ns); return the updates that a reader gets."""
        place, last = message.message_id, self._at
        if not self._is_hidden and last is not None and place.follows(last):
            return self._apply(place, message, at_ns)
        if last is not None and place <= last:
            return _NOTHING
        updates: list[Update] = []
        if self._has_snapshots and (last is None or not place.follows(last)):
            updates += self._resume(place)
            if self._at is None or not place.follows(self._at):
                return updates
        if self._is_hidden and not self._belongs_to_the_beginning(message):
            self._is_hidden = False
            updates.append(self._shown("snapshot"))
        updates += self._apply(place, message, at_ns)
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

    def _belongs_to_the_beginning(self, message: Message) -> bool:
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

    def _apply(self, place: MessageId, message: Message, at_ns: int) -> Sequence[Update]:
        try:
            data = self._status(message) if message.type == "status" else self.state.apply(message.data)
            flaw = self.state.flaw()
        except InvalidMessage as error:
            data, flaw = None, str(error)
        self._at = place
        if flaw is not None:
            self.flaws += 1
            return self._distrust()
        if self._said == "unknown":
            self._said = "live"
        if self._is_hidden:
            return _NOTHING
        kind, trace = message.type, message.trace
        if kind != "response":
            trace = trace.at(delivered=at_ns)
        said, timestamp = self._said, message.timestamp
        return (Update(self.name, place, kind, data, self.state, self.trusted, said, timestamp, trace, self._market),)

    def _status(self, message: Message) -> Status:
        try:
            status = _STATUS.decode(message.data)
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
