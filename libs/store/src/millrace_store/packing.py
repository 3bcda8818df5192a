"""Batches as bytes, for those made in another process than the one that commits them."""

import pickle
from typing import Any, Final

import msgspec

from millrace_store import schema
from millrace_store.batch import Batch
from millrace_store.schema import Table

_ROWS: Final = msgspec.msgpack.Decoder(dict[str, list[tuple[Any, ...]]])


def pack(batch: Batch) -> bytes:
    """Give a batch as bytes that `unpack` makes the same batch of, in the same version of the code."""
    rows = msgspec.msgpack.encode({table.name: rows for table, rows in batch.rows.items()})
    # Rows are nearly all of it, and pickle would take ten times as long for them.
    rest = {name: value for name, value in vars(batch).items() if name != "rows"}
    return pickle.dumps((rows, rest), pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Batch:
    """Give the batch that was packed. Only for bytes of a process of our own: they are trusted."""
    rows, rest = pickle.loads(packed)  # noqa: S301 - see above
    batch = Batch()
    vars(batch).update(rest)
    batch.rows = {_table(name): of_table for name, of_table in _ROWS.decode(rows).items()}
    return batch


def _table(name: str) -> Table:
    table: Table = getattr(schema, name)
    return table
