"""A database that refuses, and one that goes away: what the units that use it do."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace_core.ids import BEGINNING
from millrace_dbsync import maintenance
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.maintenance import maintain
from millrace_dbsync.plan import MaintenancePlan
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_store import Store, StoreError
from millrace_store.backends import postgres, sqlite
from millrace_store.testing import PostgresServer


class Watched(UnitHealthReporter):
    """A unit's health that can be waited for."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        super().__init__("unit", changed=self._news.set, errors=ErrorLog())

    def count(self, counter: str, by: int | float = 1) -> None:
        """Add to a running total."""
        super().count(counter, by)
        self._news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until a condition of it is met."""
        async with asyncio.timeout(60):
            while not reached():
                self._news.clear()
                await self._news.wait()

    @property
    def rounds(self) -> float:
        """How often the database was maintained."""
        return self.report().counters.get("rounds", 0)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SharedDatabase]:
    database = SharedDatabase(url)
    yield database
    await database.close()


@pytest.fixture
async def refusing(database_server: PostgresServer | None, tmp_path: Path) -> tuple[str, Callable[[], Awaitable[Any]]]:
    """The address of a database that refuses, and what mends it."""
    if database_server is not None:
        server, name = database_server, f"missing{os.urandom(6).hex()}"
        url = server.url.removesuffix("postgres") + name
        return url, lambda: server.database(name)
    path = tmp_path / "millrace.db"
    path.write_bytes(b"not a database" * 100)
    return f"sqlite:///{path}", lambda: asyncio.to_thread(path.unlink)


async def test_a_database_that_refused_at_first_is_tried_again(
    refusing: tuple[str, Callable[[], Awaitable[Any]]],
) -> None:
    """Each unit that asks gets the reason; once the cause is mended, the next one that asks gets its answer."""
    url, mend = refusing
    health = Watched()
    async with opened(url) as database:
        for _ in range(2):
            with pytest.raises(StoreError):
                await database.ask(Store.ping, health)
        await mend()
        await database.ask(Store.ping, health)


async def test_units_recover_once_the_database_no_longer_refuses(
    refusing: tuple[str, Callable[[], Awaitable[Any]]], dbsync: Any, feed: Any
) -> None:
    """They fail while it refuses, and store everything afterwards, in the same process."""
    url, mend = refusing
    dbsync.rows.url = url
    await dbsync.start()
    unit = await dbsync.unit_with("failures")
    assert unit.counters["failures"] >= 1
    await mend()
    last = feed.write(20)
    async with asyncio.timeout(60), Store.open(url) as store:
        while (await store.operations.positions()).get(str(feed.trades.name), BEGINNING) < last:
            await asyncio.sleep(0.05)


async def test_maintenance_waits_for_a_database_that_is_away(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stale meanwhile, says why, and goes on by itself."""
    monkeypatch.setattr(maintenance, "EVERY_S", 0.01)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(postgres, "_CONNECT_TIMEOUT_S", 1.0)
    health = Watched()
    async with opened(rows.url) as database:
        work = asyncio.create_task(maintain(MaintenancePlan(1, 1, 1), database, health))
        await health.until(lambda: health.rounds > 0)
        await rows.kill()
        await health.until(lambda: health.current_state == "stale")
        assert "waiting for the database" in (health.report().detail or "")
        await rows.restart()
        await health.until(lambda: health.current_state == "live")
        before = health.rounds
        await health.until(lambda: health.rounds > before)
        work.cancel()
        await asyncio.wait([work])
