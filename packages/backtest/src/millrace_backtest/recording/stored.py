"""A recording made of what dbsync stored: all market data, and what accounts held, with the times of publication.

Books keep the ids of their messages, so that what is missing shows. All other streams are numbered anew, since the
database holds their rows by the exchange's times. What dbsync found missing is a gap in the recording, as it is where a
recorder found it.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from millrace_backtest.errors import NothingRecorded
from millrace_backtest.recording.files import RecordingWriter, new_recording
from millrace_backtest.recording.numbered import NumberedStreams
from millrace_core.clock import NS_PER_MS
from millrace_core.continuity import Gap
from millrace_core.ids import MessageId
from millrace_core.messages import Outgoing, encode
from millrace_core.names import StreamName, is_snapshot
from millrace_core.trace import Trace
from millrace_store import Scope, Store
from millrace_store.exports.messages import StoredMessages
from millrace_store.exports.stored_message import StoredMessage

_BOOK: Final = "watchOrderBook"
_BALANCE: Final = "watchBalance"


async def record_stored(
    store: Store, scope: Scope, out: Path, on_progress: Callable[[RecordingWriter], None] = lambda _: None
) -> int:
    """Write a recording of what is stored of a scope; return the number of its messages.

    Raises:
        NothingRecorded: nothing is stored of it.
        StoreError: the database cannot be read.
        FileExistsError: `out` is there already.
    """
    stored: StoredMessages = store.exports.messages(scope)
    minutes = stored.minutes()
    first = await anext(minutes, None)
    if first is None:
        raise NothingRecorded(f"nothing is stored of the market data of {scope.tenant} in this range")
    with new_recording(out, first[0].at_ms * NS_PER_MS) as writer:
        streams = _StoredStreams(writer, await stored.gaps())
        streams.take(first)
        async for minute in minutes:
            streams.take(minute)
            on_progress(writer)
        writer.end(streams.at_ms * NS_PER_MS)
        return writer.messages


class _StoredStreams:
    """Writes stored messages, and before each what is missing of its stream."""

    def __init__(self, writer: RecordingWriter, gaps: Iterable[Gap]) -> None:
        self.at_ms = 0
        self._writer = writer
        self._numbered = NumberedStreams(writer)
        self._gaps = {name: list(each)[::-1] for name, each in groupby(gaps, key=lambda gap: gap.name)}
        """By stream, the last one first."""
        self._begun: set[str] = set()

    def take(self, messages: Iterable[StoredMessage]) -> None:
        """Write messages."""
        for message in messages:
            self.at_ms = message.at_ms
            name = StreamName.parse(message.name)
            if not is_snapshot(message.name):
                self._write_gaps(name, message)
            if name.action == _BOOK:
                self._write_as_stored(message)
            elif not is_snapshot(message.name):
                data = msgspec.Raw(message.data)
                self._numbered.message(name, message.at_ms * NS_PER_MS, message.kind, message.event_ms, data)
            elif name.action == _BALANCE and message.name not in self._begun:
                self._begun.add(message.name)
                self._begin_balances(name, message)

    def _write_gaps(self, name: StreamName, message: StoredMessage) -> None:
        """Write what is missing before a message, unless the stream begins with it."""
        gaps, at_ns = self._gaps.get(message.name, []), message.at_ms * NS_PER_MS
        while gaps and MessageId(gaps[-1].epoch, max(gaps[-1].last_seq, gaps[-1].first_seq - 1)) < message.id:
            gap = gaps.pop()
            if message.name not in self._begun:
                continue
            if name.action == _BOOK:
                self._writer.gap(gap, at_ns)
            else:
                self._numbered.gap(name, at_ns, max(gap.missing, 0), gap.reason)
                self._numbered.begin_empty(name, at_ns)
        self._begun.add(message.name)

    def _write_as_stored(self, message: StoredMessage) -> None:
        at_ns, entry = message.at_ms * NS_PER_MS, str(message.id)
        body = Outgoing(entry, message.kind, message.event_ms, Trace(published=at_ns), msgspec.Raw(message.data))
        self._writer.message(message.name, at_ns, entry, encode(body))

    def _begin_balances(self, name: StreamName, message: StoredMessage) -> None:
        held: dict[str, Any] = msgspec.json.decode(message.data)
        self._numbered.begin(name, message.at_ms * NS_PER_MS, lambda as_of: {**held, "asOf": as_of})
