"""A recording made of what dbsync stored: order books, trades and tickers, with the times at which they were published.

Books keep the ids of their messages, so that what is missing shows. Trades and tickers are numbered anew, since the
database holds their rows by the exchange's times; what dbsync found missing of them is in its table of gaps.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from millrace_backtest.errors import NothingRecorded
from millrace_backtest.recording.files import RecordingWriter
from millrace_core.clock import NS_PER_MS
from millrace_core.ids import MessageId
from millrace_core.market import TradesSnapshot
from millrace_core.messages import Outgoing, encode
from millrace_core.names import StreamName, is_snapshot
from millrace_core.trace import Trace
from millrace_store import Scope, Store
from millrace_store.exports.messages import StoredMessage

_BOOK: Final = "watchOrderBook"


async def record_stored(
    store: Store, scope: Scope, writer: RecordingWriter, on_progress: Callable[[RecordingWriter], None]
) -> None:
    """Write what is stored of a scope, and end the recording.

    Raises:
        NothingRecorded: nothing is stored of it.
        StoreError: the database cannot be read.
    """
    numbered = _Numbered(writer)
    at_ms = 0
    async for minute in store.exports.messages(scope).minutes():
        for message in minute:
            numbered.take(message)
            at_ms = message.at_ms
        on_progress(writer)
    if not writer.messages:
        raise NothingRecorded(f"nothing is stored of the market data of {scope.tenant} in this range")
    writer.end(at_ms * NS_PER_MS)


class _Numbered:
    """Writes stored messages, with ids that follow one another where the stored ones cannot be used."""

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer
        self._last: dict[str, MessageId] = {}

    def take(self, message: StoredMessage) -> None:
        """Write a message."""
        name = StreamName.parse(message.name)
        if name.action == _BOOK:
            self._write(message.name, message.id, message)
        elif not is_snapshot(message.name):
            if message.name not in self._last:
                self._begin(name, message)
            last = self._last[message.name]
            self._last[message.name] = MessageId(last.epoch, last.seq + 1)
            self._write(message.name, self._last[message.name], message)

    def _begin(self, name: StreamName, message: StoredMessage) -> None:
        """Begin a stream with an empty state: its messages bring what is in it."""
        self._last[message.name] = first = MessageId(message.at_ms, 0)
        empty = TradesSnapshot([], str(first)) if name.action == "watchTrades" else {"asOf": str(first)}
        begins = message._replace(kind="snapshot", data=encode(empty), event_ms=None)
        self._write(name.snapshot, MessageId(first.epoch, 1), begins)

    def _write(self, name: str, entry: MessageId, message: StoredMessage) -> None:
        at_ns = message.at_ms * NS_PER_MS
        body = Outgoing(str(entry), message.kind, message.event_ms, Trace(published=at_ns), msgspec.Raw(message.data))
        self._writer.message(name, at_ns, str(entry), encode(body))
