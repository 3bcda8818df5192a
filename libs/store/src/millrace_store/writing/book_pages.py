"""Order-book deltas a page of a journal at a time, as they are on their way to the database. Pure."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from millrace_store.backends.columns import Columns


class BookPage(NamedTuple):
    """Deltas of one order book, in order: of each its id, times, nonce and data."""

    stream: int
    at_ms: Sequence[int]
    epochs: Sequence[int]
    seqs: Sequence[int]
    event_ms: Sequence[int | None]
    nonces: Sequence[int | None]
    lines: bytes
    """The data of all, a line each: thousands of texts are one object until somebody needs them."""

    def columns(self) -> tuple[Iterable[Any], ...]:
        """Return the values of each of the table's columns."""
        texts = self.lines.decode().split("\n")
        stream = repeat(self.stream, len(texts))
        return stream, self.at_ms, self.epochs, self.seqs, self.event_ms, self.nonces, texts


def book_rows(pages: Sequence[BookPage]) -> Columns:
    """Return the rows of pages."""
    rows = Columns.empty(len(BookPage._fields))
    for page in pages:
        rows.extend(page.columns())
    return rows
