"""Exports of whole histories, streamed in constant memory as Parquet or CSV."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from millrace_store.backends.database import Database
from millrace_store.backends.private_file import make_private
from millrace_store.backends.sql import Row
from millrace_store.exports.histories import Column, ExportKind, Part, columns_of, parts_of
from millrace_store.exports.messages import StoredMessages
from millrace_store.queries.pages import Scope

if TYPE_CHECKING:
    import polars as pl

Format = Literal["parquet", "csv"]
_ROWS_A_PIECE: Final = 20_000
_PIECES_A_GROUP: Final = 5
_LONG_ROWS: Final[dict[ExportKind, int]] = {"snapshots": 200, "bookDeltas": 5_000}
"""Rows per piece of histories whose rows may hold a whole order book."""


class Exports:
    """Exports histories, ordered by stream and time. Decimals are text in both forms, so no digit is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, kind: ExportKind, scope: Scope) -> int:
        """Return how many rows an export will have."""
        total = 0
        async with self._database.reading() as reader:
            for part in await parts_of(reader, kind, scope):
                rows = part.statement.order_by(None).subquery()
                total += (await reader.fetch(sa.select(sa.func.count()).select_from(rows)))[0][0]
        return total

    async def stream(self, kind: ExportKind, scope: Scope, form: Format) -> AsyncIterator[bytes]:
        """Return the bytes of the file piece by piece; closing the iterator early ends the query."""
        async for piece, _ in self._pieces(kind, scope, form):
            yield piece

    async def write(self, kind: ExportKind, scope: Scope, form: Format, path: Path) -> AsyncIterator[int]:
        """Write the file, which only its owner may read; after each piece return how many rows were read so far."""
        make_private(path)
        with path.open("wb") as file:
            async for piece, rows in self._pieces(kind, scope, form):
                file.write(piece)
                yield rows

    def messages(self, scope: Scope) -> StoredMessages:
        """Return the stored messages of a scope's market data, to be played again."""
        return StoredMessages(self._database, scope)

    async def _pieces(self, kind: ExportKind, scope: Scope, form: Format) -> AsyncIterator[tuple[bytes, int]]:
        # Imported on use: it takes 0.3 s and 60 MB.
        from millrace_store.exports.parquet import parquet

        columns, rows = columns_of(kind), 0
        rows_a_group = _PIECES_A_GROUP * _LONG_ROWS.get(kind, _ROWS_A_PIECE)

        async def counted() -> AsyncIterator["pl.DataFrame"]:
            nonlocal rows
            async for frame in self._frames(kind, scope, columns):
                rows += frame.height
                yield frame

        if form == "parquet":
            async for piece in parquet(counted(), _schema(columns), rows_a_group):
                yield piece, rows
        else:
            yield (",".join(column.name for column in columns) + "\n").encode(), 0
            async for frame in counted():
                yield frame.write_csv(include_header=False).encode(), rows

    async def _frames(self, kind: ExportKind, scope: Scope, columns: list[Column]) -> AsyncIterator["pl.DataFrame"]:
        async with self._database.reading() as reader:
            parts = await parts_of(reader, kind, scope)
        for part in parts:
            async for rows in self._database.pieces(part.statement, _LONG_ROWS.get(kind, _ROWS_A_PIECE)):
                yield _frame(part, rows, columns)


def _schema(columns: list[Column]) -> dict[str, Any]:
    import polars as pl

    return {column.name: pl.Int64 if column.is_number else pl.String for column in columns}


def _frame(part: Part, rows: Sequence[Row], columns: list[Column]) -> "pl.DataFrame":
    import polars as pl

    named = len(columns) - len(rows[0])
    kinds = list(_schema(columns).items())
    constant = [
        pl.Series(name, [value], dtype=kind).new_from_index(0, len(rows))
        for (name, kind), value in zip(kinds[:named], (part.exchange, part.symbol), strict=False)
    ]
    values = zip(*rows, strict=True)
    own = [pl.Series(name, column, dtype=kind) for (name, kind), column in zip(kinds[named:], values, strict=True)]
    return pl.DataFrame([*constant, *own])
