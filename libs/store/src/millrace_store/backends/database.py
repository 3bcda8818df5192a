"""What the two databases have in common: consistent reading, transactions, histories in pieces."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy.engine import Dialect

from millrace_store.backends.columns import Columns
from millrace_store.backends.sql import Row, Statement
from millrace_store.schema.tables import Table


class Reader(Protocol):
    """A view of the database at one moment."""

    async def fetch(self, statement: Statement) -> Sequence[Row]:
        """Return the rows of a query."""


class Writer(Reader, Protocol):
    """A transaction: everything of it is committed, or nothing."""

    async def execute(self, statement: Statement) -> int:
        """Carry a change out; give how many rows it touched."""

    async def insert(self, table: Table, rows: Columns) -> None:
        """Add many rows, the fastest way that the database has."""

    async def insert_missing(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add those rows whose key is not there yet."""

    async def replace(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows, each in place of the one of its key."""

    async def remove(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Delete those rows that are still exactly so; none of their values may be None."""


class Database(Protocol):
    """A SQLite file or a PostgreSQL server.

    Everything here raises `DatabaseUnavailable` when it does not answer.
    """

    dialect: Dialect

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        """Open a view of the database as it is now; what others commit meanwhile is not seen in it."""

    def writing(self, *, careful: bool = False) -> AbstractAsyncContextManager[Writer]:
        """Open a transaction, committed when the block ends and undone when it raises.

        Bulk inserts meet rows of the same key only if `careful`: then they are left as they are.

        Raises:
            AlreadyThere: a row of the same key was there, and this was not `careful`.
        """

    def pieces(self, statement: Statement, rows: int) -> AsyncIterator[Sequence[Row]]:
        """Return a query's rows in pieces of at most so many, without ever holding more."""

    async def drop_before(self, table: Table, at_ms: int) -> None:
        """Drop a message table's rows older than a moment: by whole days where the database keeps days apart."""

    async def prepare(self, table: Table, at_ms: Sequence[int]) -> None:
        """Make a table ready for rows of these times (ms), of which there must be one.

        To be called before `writing` and never inside it: it may take a connection of its own.
        """

    async def migrate(self) -> None:
        """Bring the schema up to date, whoever else may be doing the same."""

    async def close(self) -> None:
        """Let go of it."""
