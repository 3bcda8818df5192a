"""Batches as bytes, for a process that prepares them and another that commits them."""

import pickle
from typing import Any, Final

import msgspec

from millrace_store.backends.columns import Columns
from millrace_store.schema import tables
from millrace_store.schema.tables import Table
from millrace_store.writing.batch import Batch
from millrace_store.writing.rows import BookPage

_PACKED: Final = msgspec.msgpack.Decoder(tuple[dict[str, list[list[Any]]], list[BookPage], bytes])


def pack(batch: Batch, beside: object = None) -> bytes:
    """Return a batch and an object beside it as bytes, for `unpack` of the same version."""
    # Rows are nearly all of it, and pickle would take ten times as long for them.
    rest = {name: value for name, value in vars(batch).items() if name not in ("rows", "book_pages")}
    rows = {table.name: columns.lists for table, columns in batch.rows.items()}
    pages = [page._replace(seqs=list(page.seqs)) for page in batch.book_pages]
    return msgspec.msgpack.encode((rows, pages, pickle.dumps((rest, beside), pickle.HIGHEST_PROTOCOL)))


def unpack(packed: bytes | memoryview) -> tuple[Batch, Any]:
    """Return the batch that was packed, and the object beside it.

    Only for bytes of our own processes: they are trusted.
    """
    rows, pages, pickled = _PACKED.decode(packed)
    rest, beside = pickle.loads(pickled)  # noqa: S301 - see above
    batch = Batch()
    vars(batch).update(rest)
    batch.book_pages = pages
    batch.rows = {_table(name): Columns(lists) for name, lists in rows.items()}
    return batch, beside


def _table(name: str) -> Table:
    table: Table = getattr(tables, name)
    return table
