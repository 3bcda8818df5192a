"""Where each message goes in the database, by the stream on which it travelled."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from millrace_bus import JournalEntry, JournalPage
from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.messages import Response
from millrace_core.names import StreamName, is_snapshot
from millrace_dbsync.decoding.envelopes import credible, envelope, invalid, place_of, read, text_of
from millrace_dbsync.handling.busy_feeds import BusyBook, BusyTrades
from millrace_dbsync.handling.deltas import Put, put_delta_of, put_status
from millrace_dbsync.handling.handler import Shelf, Shelved, bury
from millrace_dbsync.handling.snapshots import put_snapshot_of
from millrace_store import Batch, Place


def shelf_of(name: str) -> Shelf:
    """Return what adds the entries of a journal to a batch."""
    if not name.startswith("stream."):
        return _Requests(name)
    stream = StreamName.parse(name)
    if is_snapshot(name):
        return _Snapshots(name, stream)
    if not stream.has_snapshots:
        return _Answers(name)
    feed = _Feed(name, stream)
    busy = _BUSY.get(stream.action)
    return feed if busy is None else busy(name, feed)


class _Feed:
    """What is watched: deltas of one kind, and what the writer says of itself."""

    def __init__(self, name: str, stream: StreamName) -> None:
        self._name = name
        self._puts: Mapping[str, Put] = {"delta": put_delta_of(stream.action), "status": put_status}

    def put(self, batch: Batch, page: JournalPage, shelved: Shelved) -> None:
        """Add a page."""
        name, puts = self._name, self._puts
        for entry in page:
            try:
                message = envelope(entry)
                put = puts.get(message.type)
                if put is None:
                    raise _misplaced(message.type)
                put(batch, place_of(name, entry.id, message), message.data)
                shelved.times.note(name, message.trace)
            except InvalidMessage as error:
                bury(batch, name, entry, str(error), shelved)


class _OneByOne:
    """Entries that come one now and one then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def put(self, batch: Batch, page: JournalPage, shelved: Shelved) -> None:
        """Add a page."""
        for entry in page:
            try:
                self._put(batch, entry, shelved)
            except InvalidMessage as error:
                bury(batch, self._name, entry, str(error), shelved)

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        """Add an entry.

        Raises:
            InvalidMessage: it is none of this journal's, and the batch is as it was. Whatever else is raised came from
                the batch, which is of no use then: it goes up to whoever made it.
        """
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

    def __init__(self, name: str, stream: StreamName) -> None:
        super().__init__(name)
        self._put_snapshot = put_snapshot_of(stream.action)

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        message = envelope(entry)
        if message.type != "snapshot":
            raise _misplaced(message.type)
        self._put_snapshot(batch, place_of(self._name, entry.id, message), message.data)


class _Requests(_OneByOne):
    """What was asked, of whatever form."""

    def _put(self, batch: Batch, entry: JournalEntry, shelved: Shelved) -> None:
        text = text_of(entry)
        named = read(_OBJECT, text)
        batch.request(Place(self._name, entry.id, _asked_at(entry.id, text)), text, named)


def _asked_at(entry_id: MessageId, text: bytes) -> int:
    """Return a request's own time, or where it says none when Redis had it: its entry's id tells."""
    try:
        return credible(_ASKED_AT.decode(text).requested_at or entry_id.epoch)
    except msgspec.MsgspecError:
        return credible(entry_id.epoch)


def _misplaced(kind: str) -> InvalidMessage:
    return invalid(f"a {kind} does not belong on this stream")


class _AskedAt(msgspec.Struct, rename="camel"):
    """What is wanted of a request to trade before it is understood."""

    requested_at: int | None = None


_ASKED_AT = msgspec.json.Decoder(_AskedAt)
_RESPONSE = msgspec.json.Decoder(Response)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_BUSY: dict[str, Callable[[str, Shelf], Shelf]] = {"watchOrderBook": BusyBook, "watchTrades": BusyTrades}
