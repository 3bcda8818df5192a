"""The store: one object for all writes to the database and all queries."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from millrace_core.names import Tenant
from millrace_store.access import Access
from millrace_store.backends.database import Database
from millrace_store.backends.postgres import PostgresDatabase
from millrace_store.backends.sqlite import SqliteDatabase
from millrace_store.errors import StoreError, UnsupportedDatabase
from millrace_store.exports.export import Exports
from millrace_store.halts import StoredHalts
from millrace_store.portfolio.revaluation import rebuild_positions
from millrace_store.queries.account import AccountQueries
from millrace_store.queries.market import MarketQueries
from millrace_store.queries.operations import OperationsQueries
from millrace_store.queries.portfolio import PortfolioQueries
from millrace_store.schema import tables
from millrace_store.schema.upgrade import HEAD
from millrace_store.writing.batch import Batch
from millrace_store.writing.commit import commit
from millrace_store.writing.maintenance import maintain
from millrace_store.writing.retention import Retention

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


class DatabaseState(NamedTuple):
    """What a database is fit for."""

    revision: str | None
    """Of its schema; None if it is empty."""
    newest: str
    """The revision that this version of millrace makes."""
    write_problem: str | None
    """Why it takes no writes; None if it does, or is empty."""


class Store:
    """An open database."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self.url = url
        self.market = MarketQueries(database)
        self.account = AccountQueries(database)
        self.portfolio = PortfolioQueries(database)
        self.operations = OperationsQueries(database)
        self.access = Access(database)
        self.halts = StoredHalts(database)
        self.exports = Exports(database)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, migrate: bool = True) -> AsyncIterator["Store"]:
        """Open `sqlite:///path` or `postgresql://…` after bringing its schema up to date.

        A SQLite path is relative unless it begins with another slash. Any number of processes may open a database at
        the same time.

        Raises:
            UnsupportedDatabase: the address is of another kind.
            DatabaseUnavailable: the database does not answer, or is of a newer version (`DatabaseIsNewer`).
        """
        database = await _connect(url)
        try:
            if migrate:
                await database.migrate()
            yield cls(database, url)
        finally:
            await database.close()

    @staticmethod
    def check_url(url: str) -> None:
        """Check the form of an address without connecting.

        Raises:
            UnsupportedDatabase: the address is of another kind.
        """
        if not url.startswith((_SQLITE, *_POSTGRES)):
            raise UnsupportedDatabase(url)

    @staticmethod
    def file_of(url: str) -> Path | None:
        """Return the file of a SQLite database; None for a server's."""
        return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """Open a batch that is committed as a whole when the block ends, and dropped when the block raises.

        Raises:
            DatabaseUnavailable: on leaving the block; the batch may be committed again.
        """
        batch = Batch()
        yield batch
        await self.commit(batch)

    async def commit(self, batch: Batch) -> None:
        """Commit a batch. Messages that are stored already are skipped.

        Raises:
            DatabaseUnavailable: the same batch may be committed again.
            ValueRejected: a value in it cannot be stored; nothing of it was.
        """
        await commit(self._database, batch)

    async def maintain(
        self,
        retention: Retention = Retention(),  # noqa: B008 - a frozen default
        currencies: Mapping[Tenant, str] | None = None,
    ) -> None:
        """Keep queries quick and the disk bounded. Call it every minute, from one process or several.

        Builds candles of finished minutes and book checkpoints where snapshots are sparse, values fees, samples the
        equity of the tenants in `currencies`, makes the partitions of the coming days, and drops what is older than the
        retention.

        Raises:
            DatabaseUnavailable: what was done before stays done.
        """
        await maintain(self._database, retention, currencies or {})

    async def rebuild_positions(self, tenant: Tenant) -> int:
        """Count all of a tenant's own trades anew; return how many. The result is what they were counted to before.

        Prices of fees that were not known when they were counted are looked up again.

        Raises:
            DatabaseUnavailable: markets that were done before stay done.
        """
        return await rebuild_positions(self._database, tenant)

    async def state(self) -> DatabaseState:
        """Return the revision of the database's schema, and whether it takes writes.

        Raises:
            DatabaseUnavailable: it does not answer.
        """
        revision = await self._database.revision()
        problem = None if revision is None else await self._write_problem()
        return DatabaseState(revision, HEAD, problem)

    async def _write_problem(self) -> str | None:
        # It changes nothing, but needs what every write needs: the lock, the disk and the permission.
        nothing = sa.update(tables.tokens).where(sa.false()).values(name=tables.tokens.c.name)
        try:
            async with self._database.writing() as writer:
                await writer.execute(nothing)
        except StoreError as error:
            return str(error)
        return None

    async def ping(self) -> None:
        """Check that the database answers.

        Raises:
            DatabaseUnavailable: it does not.
        """
        async with self._database.reading() as reader:
            await reader.fetch(sa.text("SELECT 1"))


async def _connect(url: str) -> Database:
    Store.check_url(url)
    if (file := Store.file_of(url)) is not None:
        return SqliteDatabase(file)
    return await PostgresDatabase.connect(url)
