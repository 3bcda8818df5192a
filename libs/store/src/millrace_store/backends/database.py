"""The interface that the store needs of a database: consistent reads, transactions, long results in pieces."""

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
    """A transaction: all of it is committed, or nothing."""

    async def execute(self, statement: Statement) -> int:
        """Execute a change; return how many rows it touched."""

    async def insert(self, table: Table, rows: Columns) -> None:
        """Add many rows in the fastest way that the database has."""

    async def insert_missing(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add the rows whose key does not exist yet."""

    async def replace(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows; each replaces the row of its key."""

    async def remove(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Delete the rows that are still equal to these; None is not allowed as a value."""


class Database(Protocol):
    """A SQLite file or a PostgreSQL server. Every method raises `DatabaseUnavailable` when it does not answer."""

    dialect: Dialect

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        """Open a view of the database as it is now; later commits of others are not seen in it."""

    def writing(self, *, careful: bool = False) -> AbstractAsyncContextManager[Writer]:
        """Open a transaction, committed when the block ends and undone when it raises.

        With `careful`, bulk inserts leave rows that exist as they are.

        Raises:
            AlreadyThere: a row of the same key exists, and the transaction is not `careful`.
        """

    def pieces(self, statement: Statement, rows: int) -> AsyncIterator[Sequence[Row]]:
        """Return the rows of a query in pieces of at most `rows`, never holding more in memory."""

    async def drop_before(self, table: Table, at_ms: int) -> None:
        """Drop the rows of a message table from before a moment; where days are partitions, whole days only."""

    async def prepare(self, table: Table, at_ms: Sequence[int]) -> None:
        """Make a table ready for rows of these times (ms), of which there must be one.

        To be called before `writing` and never inside it: it may take a connection of its own.
        """

    async def revision(self) -> str | None:
        """Return the revision of the schema; None if the database is empty."""

    async def migrate(self) -> None:
        """Bring the schema up to date; several processes may do so at the same time."""

    async def close(self) -> None:
        """Close all connections."""
