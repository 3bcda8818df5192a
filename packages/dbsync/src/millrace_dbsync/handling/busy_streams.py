"""Order books and trades, which are nearly all messages: handled a page at a time, several times faster.

A page with a message that is not plain (`millrace_dbsync.decoding.plain`) is halved until few messages are left around
it; those go to the common handler, which takes anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain

import msgspec

from millrace_bus import JournalPage
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import BookDelta
from millrace_core.messages import encode
from millrace_dbsync.decoding.plain import PlainDelta, Times, read_page, times_of
from millrace_dbsync.handling.handler import Handler, HandlingResult
from millrace_dbsync.handling.payloads import Positive, is_spot
from millrace_store import Batch

_FEW = 16


class BusyStreamHandler(ABC):
    """Adds the plain deltas of a journal a page at a time, and the rest by another handler."""

    def __init__(self, name: str, rest: Handler) -> None:
        self._name, self._rest = name, rest

    def handle(self, batch: Batch, page: JournalPage, result: HandlingResult) -> None:
        """Add a page."""
        times = self._add_plain(batch, page)
        if times is not None:
            result.times.note_page(self._name, times.exchange, times.received, times.published)
        elif len(page) <= _FEW:
            self._rest.handle(batch, page, result)
        else:
            middle = len(page) // 2
            self.handle(batch, page[:middle], result)
            self.handle(batch, page[middle:], result)

    @abstractmethod
    def _add_plain(self, batch: Batch, page: JournalPage) -> Times | None:
        """Add a page whose messages are all plain and return their times; else add nothing and return None."""


class _BookDelta(PlainDelta, forbid_unknown_fields=True, gc=False):
    """A message with a change of an order book, which is stored as published."""

    data: msgspec.Raw


class BusyBookHandler(BusyStreamHandler):
    """Handles the deltas of an order book, which are stored as published."""

    def _add_plain(self, batch: Batch, page: JournalPage) -> Times | None:
        deltas = read_page(_MESSAGES, page)
        if deltas is None or (times := times_of(deltas)) is None:
            return None
        texts = [bytes(delta.data) for delta in deltas]
        if (nonces := _nonces(texts)) is None:
            return None
        batch.book_deltas(self._name, page.ids, times.published_ms, times.event_ms, nonces, texts)
        return times


def _nonces(texts: Sequence[bytes]) -> list[int | None] | None:
    """Return the nonce of each change of a book; None unless all are changes of books, each in one line."""
    text = b"[%b]" % b",".join(texts)
    try:
        # Decoded whole although only the nonce is stored apart: a malformed level must be found now.
        return None if b"\n" in text else [book.nonce for book in _BOOKS.decode(text)]
    except UNREADABLE:
        return None


class _Trade(msgspec.Struct):
    """The stored fields of a trade. Its numbers stay the digits that travelled, which are stored."""

    id: str | None
    timestamp: int | None
    side: str | None
    price: msgspec.Raw
    amount: msgspec.Raw


class _Trades(msgspec.Struct):
    trades: list[_Trade]


class _TradesDelta(PlainDelta, forbid_unknown_fields=True, gc=False):
    """A message with trades of a market."""

    data: _Trades


class BusyTradesHandler(BusyStreamHandler):
    """Handles the trades of a market."""

    def _add_plain(self, batch: Batch, page: JournalPage) -> Times | None:
        deltas = read_page(_TRADES, page)
        if deltas is None or (times := times_of(deltas)) is None:
            return None
        trades = [delta.data.trades for delta in deltas]
        if not _are_valid(list(chain.from_iterable(trades)), _POSITIVE if is_spot(self._name) else _NUMBERS):
            return None
        batch.market_trades(self._name, page.ids, times.published_ms, trades)
        return times


def _are_valid(trades: Sequence[_Trade], prices: "msgspec.json.Decoder[list[float]]") -> bool:
    """Tell whether the numbers of trades are such as trades have."""
    try:
        prices.decode(encode([trade.price for trade in trades]))
        _POSITIVE.decode(encode([trade.amount for trade in trades]))
    except UNREADABLE:
        return False
    return True


_MESSAGES = msgspec.json.Decoder(list[_BookDelta])
_BOOKS = msgspec.json.Decoder(list[BookDelta])
_TRADES = msgspec.json.Decoder(list[_TradesDelta])
_NUMBERS = msgspec.json.Decoder(list[float])
_POSITIVE = msgspec.json.Decoder(list[Positive])
