"""Where each message goes in the database, by the stream on which it travelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.market import BookSnapshot
from millrace_core.messages import Response
from millrace_core.names import StreamName, is_snapshot
from millrace_core.trace import Trace
from millrace_dbsync.deltas import Put, put_delta_of, put_status
from millrace_dbsync.envelopes import credible, envelope, invalid, place_of, read, text_of
from millrace_dbsync.hop_times import HopTimes
from millrace_store import Batch, Place


class Dead(NamedTuple):
    """A message that could not be understood."""

    name: str
    id: MessageId
    reason: str


@dataclass
class Shelved:
    """What was learnt of messages on the way to their places."""

    times: HopTimes = field(default_factory=HopTimes)
    dead: list[Dead] = field(default_factory=list)
    failed: int = 0
    """Answers to requests that were not done."""


class Shelf(Protocol):
    """Adds entries of one journal to a batch, in order; one that cannot be understood goes to dead letters."""

    def put(self, batch: Batch, page: Sequence[JournalEntry], shelved: Shelved) -> None:
        """Add a page."""


def shelf_of(name: str) -> Shelf:
    """Give what adds the entries of a journal to a batch."""
    if not name.startswith("stream."):
        return _Requests(name)
    stream = StreamName.parse(name)
    if is_snapshot(name):
        return _Snapshots(name, is_book=stream.action == "watchOrderBook")
    return _Feed(name, stream) if stream.has_snapshots else _Answers(name)


def bury(batch: Batch, name: str, entry: JournalEntry, reason: str, shelved: Shelved) -> None:
    """Add an entry to those that cannot be stored as what they are."""
    batch.dead_letter(Place(name, entry.id, now_ms()), reason, entry.body or b"")
    shelved.dead.append(Dead(name, entry.id, reason))


class _Feed:
    """What is watched: deltas of one kind, and what the writer says of itself."""

    def __init__(self, name: str, stream: StreamName) -> None:
        self._name = name
        self._puts: Mapping[str, Put] = {"delta": put_delta_of(stream.action), "status": put_status}

    def put(self, batch: Batch, page: Sequence[JournalEntry], shelved: Shelved) -> None:
        """Add a page: the hot path."""
        name, puts = self._name, self._puts
        traces: list[Trace] = []
        for entry in page:
            try:
                message = envelope(entry)
                put = puts.get(message.type)
                if put is None:
                    raise _misplaced(message.type)
                put(batch, place_of(name, entry.id, message), message.data)
                traces.append(message.trace)
            except InvalidMessage as error:
                bury(batch, name, entry, str(error), shelved)
        shelved.times.note_feed(name, traces)


class _OneByOne:
    """Entries that come one now and one then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def put(self, batch: Batch, page: Sequence[JournalEntry], shelved: Shelved) -> None:
        """Add a page."""
        for entry in page:
            try:
                self._put(batch, entry, shelved)
            except (InvalidMessage, InvalidName) as error:
                bury(batch, self._name, entry, str(error), shelved)

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        raise NotImplementedError


class _Answers(_OneByOne):
    """What the executor answers, and says of itself."""

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        message = envelope(entry)
        place = place_of(self._name, entry.id, message)
        if message.type == "status":
            put_status(batch, place, message.data)
            return
        if message.type != "response":
            raise _misplaced(message.type)
        response = read(_RESPONSE, message.data)
        batch.response(place, response, message.trace)
        shelved.times.note(self._name, message.trace)
        shelved.failed += response.status != "done"


class _Snapshots(_OneByOne):
    """Whole states of one stream."""

    def __init__(self, name: str, *, is_book: bool) -> None:
        super().__init__(name)
        self._is_book = is_book

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        message = envelope(entry)
        if message.type != "snapshot":
            raise _misplaced(message.type)
        place, data = place_of(self._name, entry.id, message), message.data
        if self._is_book:
            book = read(_BOOK, data)
            as_of = MessageId.parse(book.as_of)
            batch.snapshot(place, as_of, bytes(data), nonce=book.nonce, checksum=book.checksum)
        else:
            batch.snapshot(place, MessageId.parse(read(_AS_OF, data).as_of), bytes(data))


class _Requests(_OneByOne):
    """What was asked, of whatever form."""

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        text = text_of(entry)
        request = read(_OBJECT, text)
        batch.request(Place(self._name, entry.id, _asked_at(entry.id, text)), request)


def _asked_at(entry_id: MessageId, text: bytes) -> int:
    """Give a request's own time, or where it says none when Redis had it: its entry's id tells."""
    try:
        return credible(_ASKED_AT.decode(text).requested_at or entry_id.epoch)
    except msgspec.MsgspecError:
        return credible(entry_id.epoch)


def _misplaced(kind: str) -> InvalidMessage:
    return invalid(f"a {kind} does not belong on this stream")


class _AsOf(msgspec.Struct, rename="camel"):
    """What every snapshot says."""

    as_of: str


class _AskedAt(msgspec.Struct, rename="camel"):
    """What is wanted of a request to trade before it is understood."""

    requested_at: int | None = None


_BOOK = msgspec.json.Decoder(BookSnapshot)
_AS_OF = msgspec.json.Decoder(_AsOf)
_ASKED_AT = msgspec.json.Decoder(_AskedAt)
_RESPONSE = msgspec.json.Decoder(Response)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
