"""Order books and trades, which are nearly all that comes: added a page at a time, several times quicker.

Only what is plain goes this way: a delta with its times, all in ASCII. The rest of a page, in its order, goes the
common way, which knows what to do with anything.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, Trade, TradesDelta
from millrace_core.messages import Message, decode
from millrace_core.trace import Trace
from millrace_dbsync.envelopes import DAY_MS, NS_PER_MS, read
from millrace_dbsync.shelved import Shelf, Shelved
from millrace_store import Batch

_RowT = TypeVar("_RowT")
_BookRow = tuple[MessageId, int, int | None, int | None, bytes]
_TradesRow = tuple[MessageId, int, Sequence[Trade]]


class BusyFeed(Generic[_RowT]):
    """Adds the plain deltas of a journal a page at a time, the rest by way of another shelf."""

    def __init__(
        self,
        name: str,
        row: Callable[[MessageId, int, Message], _RowT],
        add: Callable[[Batch, str, list[_RowT]], None],
        rest: Shelf,
    ) -> None:
        self._name, self._row, self._add, self._rest = name, row, add, rest

    def put(self, batch: Batch, page: Sequence[JournalEntry], shelved: Shelved) -> None:
        """Add a page."""
        rows: list[_RowT] = []
        traces: list[Trace] = []
        latest_ms = now_ms() + DAY_MS
        for entry in page:
            message = _plain(entry, latest_ms)
            if message is not None:
                try:
                    rows.append(self._row(entry.id, (message.trace.published or 0) // NS_PER_MS, message))
                    traces.append(message.trace)
                    continue
                except InvalidMessage:
                    pass
            if rows:
                self._add(batch, self._name, rows)
                rows = []
            self._rest.put(batch, [entry], shelved)
        if rows:
            self._add(batch, self._name, rows)
        shelved.times.note_feed(self._name, traces)


def busy_books(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of an order book's deltas."""
    return BusyFeed(name, _book_row, Batch.book_deltas, rest)


def busy_trades(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of a market's trades."""
    return BusyFeed(name, _trades_row, Batch.market_trades, rest)


def _plain(entry: JournalEntry, latest_ms: int) -> Message | None:
    """Read an entry that holds a delta with credible times; None for any other."""
    body = entry.body
    if body is None or not body.isascii():
        return None
    try:
        message = decode(body)
    except InvalidMessage:
        return None
    published, event_ms = message.trace.published, message.timestamp
    is_plain = (
        message.type == "delta"
        and message.id == f"{entry.id.epoch}-{entry.id.seq}"
        and published is not None
        and 0 <= published <= latest_ms * NS_PER_MS
        and (event_ms is None or 0 <= event_ms <= latest_ms)
    )
    return message if is_plain else None


def _book_row(message_id: MessageId, at_ms: int, message: Message) -> _BookRow:
    return message_id, at_ms, message.timestamp, read(_BOOK, message.data).nonce, bytes(message.data)


def _trades_row(message_id: MessageId, at_ms: int, message: Message) -> _TradesRow:
    return message_id, at_ms, read(_TRADES, message.data).trades


_BOOK = msgspec.json.Decoder(BookDelta)
_TRADES = msgspec.json.Decoder(TradesDelta)
