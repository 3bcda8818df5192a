"""Order books and trades, which are nearly all that comes: added a page at a time, several times quicker.

Only pages that are plain throughout go this way: deltas with credible times, all in ASCII. A page with anything else
in it is halved, until what is not plain is among few; those go the common way, which knows what to do with anything.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from millrace_bus import JournalPage
from millrace_core.clock import now_ms
from millrace_core.message_ids import MessageIds
from millrace_dbsync.deltas import MarketTrades
from millrace_dbsync.envelopes import DAY_MS, NS_PER_MS
from millrace_dbsync.shelved import Shelf, Shelved
from millrace_store import Batch

_FEW = 16

AddAll = Callable[[Batch, str, MessageIds, "_Plain"], None]
"""Adds plain messages; raises MsgspecError, and adds none, where the data of one is of no use."""


class _Trace(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The hops of market data: `millrace_core.trace.Trace` as far as it has come here."""

    exchange: int | None = None
    received: int | None = None
    published: int | None = None


class _Delta(msgspec.Struct, gc=False):
    """A plain delta."""

    id: str
    type: Literal["delta"]
    timestamp: int | None
    trace: _Trace
    data: msgspec.Raw


class _Plain(NamedTuple):
    """Plain deltas, column by column."""

    event_ms: list[int | None]
    exchange: list[int | None]
    received: list[int | None]
    published: list[int]
    data: list[msgspec.Raw]

    @property
    def published_ms(self) -> list[int]:
        return [at // NS_PER_MS for at in self.published]


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
            shelved.times.note_feed(self._name, deltas.exchange, deltas.received, deltas.published)
        elif len(page) <= _FEW:
            self._rest.put(batch, page, shelved)
        else:
            middle = len(page) // 2
            self.put(batch, page[:middle], shelved)
            self.put(batch, page[middle:], shelved)

    def _add(self, batch: Batch, page: JournalPage, deltas: _Plain) -> bool:
        try:
            self._add_all(batch, self._name, page.ids, deltas)
        except msgspec.MsgspecError:
            return False
        return True


def busy_books(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of an order book's deltas."""
    return BusyFeed(name, _add_books, rest)


def busy_trades(name: str, rest: Shelf) -> Shelf:
    """Give the shelf of a market's trades."""
    return BusyFeed(name, _add_trades, rest)


def _plain(page: JournalPage) -> _Plain | None:
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
    traces = [delta.trace for delta in deltas]
    published = [trace.published for trace in traces if trace.published is not None]
    event_ms = [delta.timestamp for delta in deltas]
    told = [at for at in event_ms if at is not None]
    latest_ms = now_ms() + DAY_MS
    are_credible = _all_within(published, latest_ms * NS_PER_MS) and _all_within(told, latest_ms)
    if len(published) < len(deltas) or not are_credible:
        return None
    exchange, received = [trace.exchange for trace in traces], [trace.received for trace in traces]
    return _Plain(event_ms, exchange, received, published, [delta.data for delta in deltas])


def _all_within(times: Sequence[int], latest: int) -> bool:
    """Tell whether no time is negative, or later than `latest`."""
    return not times or (min(times) >= 0 and max(times) <= latest)


def _add_books(batch: Batch, name: str, ids: MessageIds, deltas: _Plain) -> None:
    texts = [str(data, "ascii") for data in deltas.data]
    # Decoded whole, although only their numbers are wanted apart: a level that is none must be found here. And each by
    # itself, so that the many levels of one are gone before the next ones come.
    nonces = [_BOOK.decode(text).nonce for text in texts]
    batch.book_deltas(name, ids, deltas.published_ms, deltas.event_ms, nonces, texts)


def _add_trades(batch: Batch, name: str, ids: MessageIds, deltas: _Plain) -> None:
    made = _TRADES.decode(_array(deltas.data))
    batch.market_trades(name, ids, deltas.published_ms, [delta.trades for delta in made])


def _array(texts: Sequence[bytes | msgspec.Raw]) -> bytes:
    return b"[%b]" % b",".join(texts)


_DELTAS = msgspec.json.Decoder(list[_Delta])
_BOOK = msgspec.json.Decoder(_Book)
_TRADES = msgspec.json.Decoder(list[MarketTrades])
