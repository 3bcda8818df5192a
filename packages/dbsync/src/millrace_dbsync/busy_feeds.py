"""Order books and trades, which are nearly all that comes: added a page at a time, several times quicker.

Only pages that are plain throughout go this way: deltas with credible times, all in ASCII. A page with anything else
in it is halved, until what is not plain is among few; those go the common way, which knows what to do with anything.
"""

from collections.abc import Callable, Sequence

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import now_ms
from millrace_core.market import BookDelta, TradesDelta
from millrace_core.messages import Message
from millrace_dbsync.envelopes import DAY_MS, NS_PER_MS
from millrace_dbsync.shelved import Shelf, Shelved
from millrace_store import Batch

_FEW = 16

Page = Sequence[JournalEntry]
AddAll = Callable[[Batch, str, Page, list[Message]], None]
"""Adds plain messages, each with its entry; raises MsgspecError, and adds none, where the data of one is of no use."""


class BusyFeed:
    """Adds the plain deltas of a journal a page at a time, the rest by way of another shelf."""

    def __init__(self, name: str, add_all: AddAll, rest: Shelf) -> None:
        self._name, self._add_all, self._rest = name, add_all, rest

    def put(self, batch: Batch, page: Page, shelved: Shelved) -> None:
        """Add a page."""
        messages = _plain(page)
        if messages is not None and self._add(batch, page, messages):
            shelved.times.note_feed(self._name, [message.trace for message in messages])
        elif len(page) <= _FEW:
            self._rest.put(batch, page, shelved)
        else:
            middle = len(page) // 2
            self.put(batch, page[:middle], shelved)
            self.put(batch, page[middle:], shelved)

    def _add(self, batch: Batch, page: Page, messages: list[Message]) -> bool:
        try:
            self._add_all(batch, self._name, page, messages)
        except msgspec.MsgspecError:
            return False
        return True


def busy_books(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of an order book's deltas."""
    return BusyFeed(name, _add_books, rest)


def busy_trades(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of a market's trades."""
    return BusyFeed(name, _add_trades, rest)


def _plain(page: Page) -> list[Message] | None:
    """Read a page at once; None where anything in it is not plain."""
    bodies = [entry.body for entry in page if entry.body is not None]
    text = _array(bodies)
    if len(bodies) < len(page) or not text.isascii():
        return None
    try:
        messages = _MESSAGES.decode(text)
    except msgspec.MsgspecError:
        return None
    # Also what no body is by itself might be JSON together with its neighbours: but not with everybody's right id.
    if [message.id for message in messages] != [f"{epoch}-{seq}" for (epoch, seq), _ in page]:
        return None
    latest_ms = now_ms() + DAY_MS
    latest_ns = latest_ms * NS_PER_MS
    for message in messages:
        published, event_ms = message.trace.published, message.timestamp
        if message.type != "delta" or published is None or not 0 <= published <= latest_ns:
            return None
        if event_ms is not None and not 0 <= event_ms <= latest_ms:
            return None
    return messages


def _add_books(batch: Batch, name: str, page: Page, messages: list[Message]) -> None:
    texts = [bytes(message.data) for message in messages]
    # Decoded whole, although only their numbers are wanted apart: a level that is none must be found here. And each by
    # itself, so that the many levels of one are gone before the next ones come.
    nonces = [_BOOK.decode(text).nonce for text in texts]
    rows = [
        (entry.id, (message.trace.published or 0) // NS_PER_MS, message.timestamp, nonce, text)
        for entry, message, nonce, text in zip(page, messages, nonces, texts, strict=True)
    ]
    batch.book_deltas(name, rows)


def _add_trades(batch: Batch, name: str, page: Page, messages: list[Message]) -> None:
    deltas = _TRADES.decode(_array([bytes(message.data) for message in messages]))
    rows = [
        (entry.id, (message.trace.published or 0) // NS_PER_MS, delta.trades)
        for entry, message, delta in zip(page, messages, deltas, strict=True)
    ]
    batch.market_trades(name, rows)


def _array(texts: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(texts)


_MESSAGES = msgspec.json.Decoder(list[Message])
_BOOK = msgspec.json.Decoder(BookDelta)
_TRADES = msgspec.json.Decoder(list[TradesDelta])
