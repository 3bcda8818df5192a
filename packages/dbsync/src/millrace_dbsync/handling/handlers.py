"""Handlers: the rows for the messages of each kind of journal."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from millrace_bus import JournalEntry, JournalPage
from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response
from millrace_core.names import StreamName, is_snapshot
from millrace_core.requests import LARGEST_REQUEST
from millrace_dbsync.decoding.envelopes import credible, envelope, invalid, place_of, read, text_of
from millrace_dbsync.handling.busy_streams import BusyBookHandler, BusyTradesHandler
from millrace_dbsync.handling.handler import Handler, HandlingResult, dead_letter, kept
from millrace_dbsync.handling.payloads import Put, put_delta_of, put_snapshot_of, put_status
from millrace_store import Batch, Place

_AT_ONCE: Final = 500
"""Entries that are handled together: few enough to be still in the processor's cache when they are used."""


def handle(batch: Batch, pages: Mapping[str, JournalPage], result: HandlingResult) -> Iterator[None]:
    """Add pages by journal; `result` collects their latencies.

    Yields between pieces so that the caller can let other tasks run; the caller must iterate to the end.
    """
    for name, page in pages.items():
        handler = handler_of(name)
        for at in range(0, len(page), _AT_ONCE):
            handler.handle(batch, page[at : at + _AT_ONCE], result)
            yield


@lru_cache(maxsize=10_000)
def handler_of(name: str) -> Handler:
    """Return the handler of a journal."""
    if not name.startswith("stream."):
        return _RequestsHandler(name)
    stream = StreamName.parse(name)
    if is_snapshot(name):
        return _SnapshotsHandler(name, stream)
    if stream.has_answers:
        return _AnswersHandler(name)
    watched = _WatchedStreamHandler(name, stream)
    busy = _BUSY.get(stream.action)
    return watched if busy is None else busy(name, watched)


class _WatchedStreamHandler:
    """A watched stream: deltas of one kind, and statuses."""

    def __init__(self, name: str, stream: StreamName) -> None:
        self._name = name
        self._puts: Mapping[str, Put] = {"delta": put_delta_of(stream.action), "status": put_status}

    def handle(self, batch: Batch, page: JournalPage, result: HandlingResult) -> None:
        """Add a page."""
        name, puts = self._name, self._puts
        for entry in page:
            try:
                message = envelope(entry)
                put = puts.get(message.type)
                if put is None:
                    raise _misplaced(message.type)
                put(batch, place_of(name, entry.id, message), message.data)
                result.times.note(name, message.trace)
            except InvalidMessage as error:
                dead_letter(batch, name, entry, str(error), result)


class _OneByOne:
    """Journals with few entries, which are handled one at a time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def handle(self, batch: Batch, page: JournalPage, result: HandlingResult) -> None:
        """Add a page."""
        for entry in page:
            try:
                self._put(batch, entry, result)
            except InvalidMessage as error:
                dead_letter(batch, self._name, entry, str(error), result)

    def _put(self, batch: Batch, entry: JournalEntry, result: HandlingResult) -> None:
        """Add an entry.

        Raises:
            InvalidMessage: the entry does not belong in this journal; the batch is unchanged. After any other error the
                batch must be discarded.
        """
        raise NotImplementedError


class _AnswersHandler(_OneByOne):
    """Answers and statuses of the executor."""

    def _put(self, batch: Batch, entry: JournalEntry, result: HandlingResult) -> None:
        message = envelope(entry)
        place = place_of(self._name, entry.id, message)
        if message.type == "status":
            put_status(batch, place, message.data)
            return
        if message.type != "response":
            raise _misplaced(message.type)
        response = read(_RESPONSE, message.data)
        batch.response(place, response, message.trace)
        result.times.note(self._name, message.trace)
        result.failed += response.status != "done"


class _SnapshotsHandler(_OneByOne):
    """Snapshots of one stream."""

    def __init__(self, name: str, stream: StreamName) -> None:
        super().__init__(name)
        self._put_snapshot = put_snapshot_of(stream.action)

    def _put(self, batch: Batch, entry: JournalEntry, result: HandlingResult) -> None:
        message = envelope(entry)
        if message.type != "snapshot":
            raise _misplaced(message.type)
        self._put_snapshot(batch, place_of(self._name, entry.id, message), message.data)


class _RequestsHandler(_OneByOne):
    """Requests to trade, malformed ones included."""

    def _put(self, batch: Batch, entry: JournalEntry, result: HandlingResult) -> None:
        text = text_of(entry, LARGEST_REQUEST)
        named = read(_OBJECT, text)
        batch.request(Place(self._name, entry.id, _asked_at(entry.id, text)), kept(text), named)


def _asked_at(entry_id: MessageId, text: bytes) -> int:
    """Return the time of a request (ms): its own, else when Redis added it, which is in the id of the entry."""
    try:
        return credible(_ASKED_AT.decode(text).requested_at or entry_id.epoch)
    except UNREADABLE:
        return credible(entry_id.epoch)


def _misplaced(kind: str) -> InvalidMessage:
    return invalid(f"a {kind} message is not allowed on this stream")


class _AskedAt(msgspec.Struct, rename="camel"):
    """The one field of a request that its row is keyed by."""

    requested_at: int | None = None


_ASKED_AT = msgspec.json.Decoder(_AskedAt)
_RESPONSE = msgspec.json.Decoder(Response)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_BUSY: dict[str, Callable[[str, Handler], Handler]] = {
    "watchOrderBook": BusyBookHandler,
    "watchTrades": BusyTradesHandler,
}
