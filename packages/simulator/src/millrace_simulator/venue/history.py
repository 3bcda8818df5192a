"""The recorded past of every order book."""

from __future__ import annotations

from array import array

from millrace_matching import Side
from millrace_simulator.venue.errors import UnknownSymbol
from millrace_simulator.venue.instrument import BookSnapshot
from millrace_simulator.venue.listener import BookChange, Listener

_CHECKPOINT_EVERY = 4096


class _Record:
    """One symbol's changes, one after the other, and the whole book every so many of them."""

    def __init__(self, first_update_id: int) -> None:
        self.first_update_id = first_update_id
        self.prices = array("q")  # negative for bids
        self.quantities = array("q")
        self.checkpoints: list[dict[int, int]] = [{}]
        self._book: dict[int, int] = {}

    def add(self, price: int, quantity: int) -> None:
        self.prices.append(price)
        self.quantities.append(quantity)
        _set_level(self._book, price, quantity)
        if len(self.prices) % _CHECKPOINT_EVERY == 0:
            self.checkpoints.append(dict(self._book))

    def book_after(self, changes: int) -> dict[int, int]:
        """Return the book after so many changes, bids under negative prices."""
        checkpoint = changes // _CHECKPOINT_EVERY
        book = dict(self.checkpoints[checkpoint])
        for place in range(checkpoint * _CHECKPOINT_EVERY, changes):
            _set_level(book, self.prices[place], self.quantities[place])
        return book


class BookHistory(Listener):
    """Every change of every book since the venue opened, so that any past book can be rebuilt exactly."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def on_book(self, change: BookChange) -> None:
        """Record a change."""
        record = self._records.get(change.symbol)
        if record is None:
            record = self._records[change.symbol] = _Record(change.first_update_id)
        for side, price, quantity in change.changes:
            record.add(-price if side is Side.BUY else price, quantity)

    def book_as_of(self, symbol: str, update_id: int) -> BookSnapshot:
        """Return the whole book just after this update.

        Raises:
            UnknownSymbol: nothing of this symbol was recorded.
            LookupError: that update has not happened.
        """
        record = self._records.get(symbol)
        if record is None:
            raise UnknownSymbol(symbol)
        changes = update_id - record.first_update_id + 1
        if not 0 <= changes <= len(record.prices):
            raise LookupError(f"{symbol} has no update {update_id}")
        book = record.book_after(changes)
        bids = tuple((-price, book[price]) for price in sorted(book) if price < 0)
        asks = tuple((price, book[price]) for price in sorted(book) if price > 0)
        return BookSnapshot(symbol, update_id, bids, asks)

    def changes(self, symbol: str, from_update_id: int, most: int) -> tuple[int, list[tuple[Side, int, int]]]:
        """Return `most` changes from an update id on (side, price, new total), and the id of the first of them.

        Raises:
            UnknownSymbol: nothing of this symbol was recorded.
        """
        record = self._records.get(symbol)
        if record is None:
            raise UnknownSymbol(symbol)
        first = max(from_update_id, record.first_update_id)
        place = first - record.first_update_id
        recorded = zip(record.prices[place : place + most], record.quantities[place : place + most], strict=True)
        return first, [(Side.BUY if price < 0 else Side.SELL, abs(price), total) for price, total in recorded]


def _set_level(book: dict[int, int], price: int, quantity: int) -> None:
    if quantity:
        book[price] = quantity
    else:
        book.pop(price, None)
