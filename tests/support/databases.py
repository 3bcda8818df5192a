"""The platform's database in tests: read by plain SQL, and broken on purpose."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import asyncpg
import pytest

from millrace_store.testing import KillablePostgres, PostgresServer

_LOCK_WITHIN_S = 60.0

AWAY = (OSError, sqlite3.OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a query may meet while the database is away, or not made yet."""


def on_databases(usual: Literal["sqlite", "postgresql"]) -> pytest.MarkDecorator:
    """Run a test of the whole platform on one kind of database, or on both with `MILLRACE_TEST_DATABASES=all`.

    The tests of the store and of dbsync always run on both.
    """
    kinds = ["sqlite", "postgresql"] if os.environ.get("MILLRACE_TEST_DATABASES") == "all" else [usual]
    return pytest.mark.parametrize("server_if_any", kinds, indirect=True)


class Database(Protocol):
    """A database that a test reads and breaks."""

    kind: str
    url: str

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Return a query's rows."""

    async def kill(self) -> None:
        """Make it unavailable."""

    async def restart(self) -> None:
        """Make it available again; harmless while it is."""


class SqliteDatabase:
    """A file. It has no server to kill: another connection's lock keeps it from committing."""

    kind = "SQLite"

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._lock: sqlite3.Connection | None = None

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Return a query's rows."""
        return await asyncio.to_thread(self._fetch, query)

    async def kill(self) -> None:
        """Hold its write lock."""
        self._lock = await asyncio.to_thread(self._locked)

    async def restart(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=_LOCK_WITHIN_S)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def _locked(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=_LOCK_WITHIN_S, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        return connection


class PostgresDatabase(KillablePostgres):
    """A database of its own on a server that is killed with -9."""

    kind = "PostgreSQL"


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Database]:
    """Return a database in a file."""
    database = SqliteDatabase(folder / "millrace.db")
    try:
        yield database
    finally:
        await database.restart()


@asynccontextmanager
async def postgres(server: PostgresServer) -> AsyncIterator[Database]:
    """Return an empty database of a server, which runs afterwards whatever was done to it."""
    database = PostgresDatabase(server, await server.database(f"t{os.urandom(6).hex()}"))
    try:
        yield database
    finally:
        await database.restart()
