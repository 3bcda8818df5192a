"""A database that takes no rows for a while: nothing is lost, no message is taken for a bad one, no unit fails.

`MILLRACE_TEST_OUTAGE_SECONDS=60` makes each outage as long.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import outages
from tests.support.databases import SqliteDatabase

from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_dbsync.committing import shared_database
from millrace_store import Scope, Store
from millrace_store.backends import sqlite
from millrace_store.testing import KillablePostgres, PostgresServer

SECONDS = float(os.environ.get("MILLRACE_TEST_OUTAGE_SECONDS", "1"))
SCOPE = Scope(Tenant("Ann"), ExchangeId("binance"), Symbol("KCS/USDT"))
Outage = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def rows() -> None:
    """Each test chooses its database."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be told soon that the database does not answer."""
    monkeypatch.setattr(shared_database, "SLOW_S", 0.3)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.5)


async def endure(dbsync: Any, feed: Any, outage: Outage, *, answers: bool) -> None:
    """Write through an outage; then everything is stored, one for one, and nothing failed.

    With `answers` the database must answer a question meanwhile.
    """
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(20))
    async with Store.open(dbsync.rows.url, migrate=False) as store:
        await store.ping()
        async with outage():
            writing = asyncio.create_task(write(feed))
            await dbsync.unit_in_state("stale")
            if answers:
                async with asyncio.timeout(5):
                    assert (await store.market.trades(SCOPE, limit=5)).rows
            await asyncio.sleep(SECONDS)
    await dbsync.all_stored(feed.trades, feed.book)
    writing.cancel()
    await asyncio.wait([writing])
    await nothing_lost(dbsync, feed)


async def write(feed: Any) -> None:
    """Write for as long as an outage lasts: some hundred messages a second, and then what is left."""
    while True:
        feed.write(20)
        await asyncio.sleep(0.05)


async def nothing_lost(dbsync: Any, feed: Any) -> None:
    await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []
    assert await dbsync.rows.fetch("SELECT reason FROM dead_letters") == []
    assert (await dbsync.unit_with("messages")).counters.get("failures", 0) == 0


async def test_sqlite_on_a_full_disk(dbsync: Any, feed: Any, tmp_path: Path) -> None:
    """Rows wait until there is room; what is stored can be read."""
    with outages.disk(tmp_path / "disk") as disk:
        dbsync.rows = SqliteDatabase(disk / "millrace.db")
        await endure(dbsync, feed, lambda: entered(outages.filled(disk)), answers=True)
        await dbsync.stop()


async def test_sqlite_locked_by_another(dbsync: Any, feed: Any, tmp_path: Path) -> None:
    """Rows wait until the other lets go; what is stored can be read."""
    path = tmp_path / "millrace.db"
    dbsync.rows = SqliteDatabase(path)
    await endure(dbsync, feed, lambda: outages.sqlite_locked(path), answers=True)


async def test_sqlite_that_was_read_only_when_it_was_opened(dbsync: Any, feed: Any, tmp_path: Path) -> None:
    """It is opened again until it takes rows: nobody has to restart anything."""
    with outages.disk(tmp_path / "disk") as disk:
        dbsync.rows = SqliteDatabase(disk / "millrace.db")
        async with Store.open(dbsync.rows.url):
            pass
        with outages.read_only(disk):
            feed.write(20)
            await dbsync.start()
            await dbsync.unit_in_state("stale")
            await asyncio.sleep(SECONDS)
        await nothing_lost(dbsync, feed)
        await dbsync.stop()


async def test_postgresql_on_a_full_disk(dbsync: Any, feed: Any, postgres: PostgresServer) -> None:
    """Rows wait until there is room; what is stored can be read."""
    # Where the server's user gets to.
    with tempfile.TemporaryDirectory() as folder, outages.disk(Path(folder) / "disk", "mode=777") as disk:
        Path(folder).chmod(0o711)
        async with outages.database_on(postgres, disk) as url:
            dbsync.rows = KillablePostgres(postgres, url)
            await endure(dbsync, feed, lambda: entered(outages.filled(disk)), answers=True)
            await dbsync.stop()


@pytest.mark.parametrize("how", ["stopped", "read only", "locked"])
async def test_postgresql(dbsync: Any, feed: Any, postgres: PostgresServer, how: str) -> None:
    """Rows wait; a question is answered where the server can answer it."""
    url = await postgres.database(f"t{os.urandom(6).hex()}")
    dbsync.rows = KillablePostgres(postgres, url)
    ways: dict[str, Outage] = {
        "stopped": lambda: outages.postgres_stopped(postgres),
        "read only": lambda: outages.postgres_read_only(url),
        "locked": lambda: outages.postgres_locked(url),
    }
    await endure(dbsync, feed, ways[how], answers=how == "read only")


@asynccontextmanager
async def entered(outage: Any) -> AsyncIterator[None]:
    """Enter a context that does not wait."""
    with outage:
        yield
