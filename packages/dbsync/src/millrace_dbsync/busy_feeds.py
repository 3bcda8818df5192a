"""Order books and trades, which are nearly all that comes: added a page at a time, several times quicker.

Only pages that are plain throughout go this way: deltas with credible times, all in ASCII. A page with anything else
in it is halved, until what is not plain is among few; those go the common way, which knows what to do with anything.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from millrace_bus import JournalPage
from millrace_core.clock import now_ms
from millrace_core.trace import Trace
from millrace_dbsync.deltas import MarketTrades
from millrace_dbsync.envelopes import DAY_MS, NS_PER_MS
from millrace_dbsync.shelved import Shelf, Shelved
from millrace_store import Batch

_FEW = 16

AddAll = Callable[[Batch, str, JournalPage, "list[_Delta]"], None]
"""Adds plain messages, each with its entry; raises MsgspecError, and adds none, where the data of one is of no use."""


class _Delta(msgspec.Struct):
    """A plain delta."""

    id: str
    type: Literal["delta"]
    timestamp: int | None
    trace: Trace
    data: msgspec.Raw


class _Level(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A price and the amount there; as a pair of its own kind made quicker than a tuple."""

    price: float
    amount: float


class _Book(msgspec.Struct, gc=False):
    """What a book's delta must be: `millrace_core.market.BookDelta`, to look at its number alone."""

    bids: list[_Level]
    asks: list[_Level]
    nonce: int | None = None
    checksum: int | None = None


class BusyFeed:
    """Adds the plain deltas of a journal a page at a time, the rest by way of another shelf."""

    def __init__(self, name: str, add_all: AddAll, rest: Shelf) -> None:
        self._name, self._add_all, self._rest = name, add_all, rest

    def put(self, batch: Batch, page: JournalPage, shelved: Shelved) -> None:
        """Add a page."""
        deltas = _plain(page)
        if deltas is not None and self._add(batch, page, deltas):
            shelved.times.note_feed(self._name, [delta.trace for delta in deltas])
        elif len(page) <= _FEW:
            self._rest.put(batch, page, shelved)
        else:
            middle = len(page) // 2
            self.put(batch, page[:middle], shelved)
            self.put(batch, page[middle:], shelved)

    def _add(self, batch: Batch, page: JournalPage, deltas: list[_Delta]) -> bool:
        try:
            self._add_all(batch, self._name, page, deltas)
        except msgspec.MsgspecError:
            return False
        return True


def busy_books(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of an order book's deltas."""
    return BusyFeed(name, _add_books, rest)


def busy_trades(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of a market's trades."""
    return BusyFeed(name, _add_trades, rest)


def _plain(page: JournalPage) -> list[_Delta] | None:
    """Read a page at once; None where anything in it is not plain."""
    bodies = [body for body in page.bodies if body is not None]
    text = _array(bodies)
    if len(bodies) < len(page) or not text.isascii():
        return None
    try:
        deltas = _DELTAS.decode(text)
    except msgspec.MsgspecError:
        return None
    # Also what no body is by itself might be JSON together with its neighbours: but not with everybody's right id.
    if ",".join([delta.id for delta in deltas]).encode() != b",".join(page.texts):
        return None
    latest_ms = now_ms() + DAY_MS
    published = [delta.trace.published for delta in deltas]
    told = [delta.timestamp for delta in deltas if delta.timestamp is not None]
    return deltas if _all_within(published, latest_ms * NS_PER_MS) and _all_within(told, latest_ms) else None


def _all_within(times: Sequence[int | None], latest: int) -> bool:
    """Tell whether all times are there, and neither negative nor later than `latest`."""
    known = [time for time in times if time is not None]
    return len(known) == len(times) and (not known or (min(known) >= 0 and max(known) <= latest))


def _add_books(batch: Batch, name: str, page: JournalPage, deltas: list[_Delta]) -> None:
    texts = [str(delta.data, "ascii") for delta in deltas]
    # Decoded whole, although only their numbers are wanted apart: a level that is none must be found here. And each by
    # itself, so that the many levels of one are gone before the next ones come.
    nonces = [_BOOK.decode(text).nonce for text in texts]
    batch.book_deltas(name, page.ids, _published_ms(deltas), [delta.timestamp for delta in deltas], nonces, texts)


def _add_trades(batch: Batch, name: str, page: JournalPage, deltas: list[_Delta]) -> None:
    made = _TRADES.decode(_array([bytes(delta.data) for delta in deltas]))
    batch.market_trades(name, page.ids, _published_ms(deltas), [delta.trades for delta in made])


def _published_ms(deltas: list[_Delta]) -> list[int]:
    return [(delta.trace.published or 0) // NS_PER_MS for delta in deltas]


def _array(texts: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(texts)


_DELTAS = msgspec.json.Decoder(list[_Delta])
_BOOK = msgspec.json.Decoder(_Book)
_TRADES = msgspec.json.Decoder(list[MarketTrades])
