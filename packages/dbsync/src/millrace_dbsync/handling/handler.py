"""The base of all handlers, and their results besides rows: latencies, dead letters, failed executions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import sub
from typing import Final, NamedTuple, Protocol

import msgspec

from millrace_bus import JournalEntry, JournalPage
from millrace_core.clock import MINUTE_MS, now_ms
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.latency import Histogram
from millrace_core.trace import Trace
from millrace_service.redaction import clean, clean_text
from millrace_store import Batch, Place

_MINUTE_NS = 60_000_000_000
_Hop = Sequence[int | None]
"""When each message passed a hop, ns; None where that is unknown."""


class HopTimes:
    """Durations of the messages of one batch, by stream, hop and the minute of publication."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str, int], list[int]] = {}

    def note(self, name: str, trace: Trace) -> None:
        """Take a message's latencies; one without a time of publication is left out."""
        if trace.published is not None:
            minute = trace.published // _MINUTE_NS
            for hop, ns in trace.latencies().items():
                self._of(name, hop, minute).append(ns)

    def note_page(self, name: str, exchange: _Hop, received: _Hop, published: Sequence[int]) -> None:
        """Take the hops of a page of market data, column by column: there are thousands a second."""
        if not published:
            return
        minute = min(published) // _MINUTE_NS
        arriving, passing = _between(exchange, received), _between(received, published)
        if arriving is None or passing is None or max(published) // _MINUTE_NS > minute:
            # Rare: some hops are not known, or a minute ends within the page.
            for hops in zip(exchange, received, published, strict=True):
                self.note(name, Trace(*hops))
            return
        self._of(name, "exchange→received", minute).extend(arriving)
        self._of(name, "received→published", minute).extend(passing)

    def put(self, batch: Batch) -> None:
        """Add all durations to a batch."""
        for (name, hop, minute), durations in self._durations.items():
            histogram = Histogram()
            histogram.record_all(durations)
            batch.latency(name, hop, minute * MINUTE_MS, histogram)

    def _of(self, name: str, hop: str, minute: int) -> list[int]:
        return self._durations.setdefault((name, hop, minute), [])


def _between(start: _Hop, end: _Hop) -> list[int] | None:
    """Return the time from hop to hop of each message; None if any hop is unknown."""
    try:
        return list(map(sub, end, start))
    except TypeError:
        return None


class DeadEntry(NamedTuple):
    """A message that was stored as a dead letter."""

    name: str
    id: MessageId
    reason: str


@dataclass
class HandlingResult:
    """Results of the handlers for the messages of one batch."""

    times: HopTimes = field(default_factory=HopTimes)
    dead: list[DeadEntry] = field(default_factory=list)
    failed: int = 0
    """Answers that were not `done`."""


class Handler(Protocol):
    """Adds the entries of one journal to a batch in order; an entry that cannot be decoded becomes a dead letter."""

    def handle(self, batch: Batch, page: JournalPage, result: HandlingResult) -> None:
        """Add a page."""


LARGEST_LETTER: Final = 1024 * 1024
"""Bytes that are kept of an entry."""
_NO_WRITER: Final = "no writer has such an id: the entry is somebody else's, and stops the stream until it is deleted"


def stray_entry(batch: Batch, name: str, entry: JournalEntry, result: HandlingResult) -> None:
    """Add an entry to the dead letters that stands where no message can."""
    batch.stray_entry(Place(name, entry.id, now_ms()), _NO_WRITER, _letter(entry))
    result.dead.append(DeadEntry(name, entry.id, _NO_WRITER))


def dead_letter(batch: Batch, name: str, entry: JournalEntry, reason: str, result: HandlingResult) -> None:
    """Add an entry to the dead letters with the reason: all of it but secrets and what is beyond `LARGEST_LETTER`."""
    batch.dead_letter(Place(name, entry.id, now_ms()), reason, _letter(entry))
    result.dead.append(DeadEntry(name, entry.id, reason))


def _letter(entry: JournalEntry) -> bytes:
    return kept((entry.body or b"")[:LARGEST_LETTER])


def kept(body: bytes) -> bytes:
    """Return what is stored of a text that a person may have written: all of it but secrets.

    A configuration that was pasted in the wrong place would otherwise be kept for years, with its keys.
    """
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE:
        text = body.decode(errors="replace")
        return body if (cleaned := clean_text(text)) == text else cleaned.encode()
    return body if (shown := clean(value)) == value else msgspec.json.encode(shown)
