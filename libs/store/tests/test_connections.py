"""Whatever the store does takes one connection at a time, and never waits for another without a limit."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from millrace_core.intervals import Interval
from millrace_core.market import Trade
from millrace_core.names import StreamName, Tenant
from millrace_store import DatabaseUnavailable, Retention, Scope, Store
from millrace_store.backends import postgres, sqlite
from millrace_store.backends.sqlite_lock import is_busy
from millrace_store.schema import tables
from millrace_store.writing import maintenance

SCOPE = Scope(Tenant("T"))
WITHIN_S = 8.0
"""Less than what the store itself waits for a connection."""


@pytest.fixture
async def narrow(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store with a single connection (of SQLite: one that reads and one that writes)."""
    monkeypatch.setattr(postgres, "_CONNECTIONS", 1)
    monkeypatch.setattr(sqlite, "_READERS", 1)
    async with Store.open(url) as store:
        yield store


async def test_a_batch_of_a_day_without_a_partition_is_committed_over_one_connection(
    narrow: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """The partitions of a batch are made before its transaction takes the connection."""
    stream = journal(name("watchTrades"))
    async with asyncio.timeout(WITHIN_S), narrow.batch() as batch:
        batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
    assert len((await narrow.market.trades(SCOPE)).rows) == 1


async def test_maintenance_needs_one_connection(
    narrow: Store, book_history: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candles, checkpoints, partitions and retention are worked off one after the other."""
    monkeypatch.setattr(maintenance, "CHECKPOINT_EVERY", 100)
    async with asyncio.timeout(WITHIN_S):
        history = book_history(narrow)
        await history.play(250, snapshots_every=1_000)
        await narrow.maintain(Retention(trades_days=1))
        place = history.states[220][0]
        assert (await narrow.market.book(history.name, at_ms=place.at_ms)).deltas <= 100


async def test_queries_and_exports_need_one_connection(
    narrow: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """A query that asks the database several times asks over the connection that it has."""
    stream = journal(name("watchTrades"))
    async with asyncio.timeout(WITHIN_S):
        async with narrow.batch() as batch:
            batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
        scope = SCOPE._replace(exchange=name("x").exchange, symbol=name("x").symbol)
        assert len((await narrow.market.candles_from_trades(scope, Interval.parse("1m"))).rows) == 1
        assert (await narrow.market.tickers(SCOPE)).rows == []
        assert (await narrow.account.balances(SCOPE)).rows == []
        assert (await narrow.account.failed_executions(SCOPE)).rows == []
        assert (await narrow.operations.dead_letters(SCOPE)).rows == []
        assert await narrow.exports.count("trades", SCOPE) == 1
        assert b"".join([piece async for piece in narrow.exports.stream("trades", SCOPE, "csv")]).count(b"\n") == 2


async def test_a_query_gives_up_when_every_connection_is_taken(narrow: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing free in time the database counts as unavailable, and serves again afterwards."""
    monkeypatch.setattr(postgres, "_CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.1)
    async with asyncio.timeout(WITHIN_S):
        async with narrow._database.reading():
            with pytest.raises(DatabaseUnavailable):
                await narrow.ping()
        await narrow.ping()


async def test_a_writer_gives_up_when_another_holds_the_database(
    narrow: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that cannot begin in time fails, and the next one does not."""
    monkeypatch.setattr(postgres, "_CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.1)
    async with asyncio.timeout(WITHIN_S):
        async with narrow._database.writing():
            with pytest.raises(DatabaseUnavailable):
                await narrow.access.forget_keys(1)
        await narrow.access.forget_keys(1)


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_export_that_is_read_slowly_leaves_queries_their_connection(
    narrow: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName], form: Any
) -> None:
    """A download may take minutes; it holds none of the connections that everything else needs."""
    stream = journal(name("watchTrades"))
    async with asyncio.timeout(WITHIN_S):
        async with narrow.batch() as batch:
            batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
        rows = narrow._database.pieces(sa.select(tables.trades.c.seq), 1)
        assert len(await anext(rows)) == 1
        await narrow.ping()
        exported = narrow.exports.stream("trades", SCOPE, form)
        await anext(exported)
        assert len((await narrow.market.trades(SCOPE)).rows) == 1
        await exported.aclose()
        await rows.aclose()  # type: ignore[attr-defined]


async def test_a_query_cancelled_at_its_very_end_returns_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of SQLite comes back even if its reader is cancelled while the view is being closed."""
    monkeypatch.setattr(sqlite, "_READERS", 1)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 1.0)
    closing, proceed, rollback = threading.Event(), threading.Event(), sqlite._rollback

    def slow_rollback(raw: sqlite3.Connection) -> None:
        closing.set()
        assert proceed.wait(WITHIN_S)
        rollback(raw)

    async with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store, asyncio.timeout(WITHIN_S):
        monkeypatch.setattr(sqlite, "_rollback", slow_rollback)
        reading = asyncio.create_task(store.ping())
        await asyncio.to_thread(closing.wait)
        reading.cancel()
        await asyncio.wait([reading])
        proceed.set()
        await store.ping()


async def test_a_query_of_sqlite_ends_with_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it goes on once nobody waits for its rows, and its connection is free again."""
    monkeypatch.setattr(sqlite, "_READERS", 1)
    begun, fetch = threading.Event(), sqlite._fetch
    endless = sa.text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")

    def noted(raw: sqlite3.Connection, text: str, values: Any) -> Any:
        raw.set_progress_handler(begun.set, 1_000)
        return fetch(raw, text, values)

    async with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store, asyncio.timeout(WITHIN_S):
        monkeypatch.setattr(sqlite, "_fetch", noted)

        async def read() -> None:
            async with store._database.reading() as reader:
                await reader.fetch(endless)

        reading = asyncio.create_task(read())
        await asyncio.to_thread(begun.wait)
        reading.cancel()
        await asyncio.wait({reading})
        await store.ping()


def test_an_error_that_python_raises_by_itself_is_no_lock() -> None:
    """It has no code of SQLite's, as text that is not UTF-8."""
    raw = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError, match="UTF-8") as raised:
        raw.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    raw.close()
    assert not is_busy(raised.value)
