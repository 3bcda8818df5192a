"""Retention and partitions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from millrace_core.clock import DAY_MS, now_ms
from millrace_core.market import Trade
from millrace_core.messages import Status
from millrace_core.names import StreamName, Tenant
from millrace_store import Retention, Scope, Store
from millrace_store.backends.postgres import PostgresDatabase
from millrace_store.schema import tables

SCOPE = Scope(Tenant("T"))


async def play(store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]) -> None:
    """Store trades and statuses of the last 10 days, one a day, and some of times that are mistakes."""
    now = now_ms()
    stream, statuses = journal(name("watchTrades")), journal(name("watchTicker"))
    async with store.batch() as batch:
        for at_ms in (5, *range(now - 10 * DAY_MS, now + 1, DAY_MS)):
            batch.trades(stream.next(at_ms), trades(at_ms, (1.0, 1.0)))
            batch.status(statuses.next(at_ms), Status("live"))
        batch.trades(stream.next(2**52), trades(2**52, (1.0, 1.0)))


async def times(store: Store, table: sa.TableClause) -> list[int]:
    async with store._database.reading() as reader:
        return [at_ms for (at_ms,) in await reader.fetch(sa.select(table.c.at_ms).order_by(table.c.at_ms))]


async def test_old_rows_are_dropped_by_policy(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Trades older than their days are gone, everything else stays, and counts and candles stay too."""
    await play(store, journal, trades, name)
    await store.maintain(Retention(trades_days=3))
    kept = await times(store, tables.trades)
    # A whole day is dropped at once where days are kept apart, so up to one more may stay.
    assert 4 <= len(kept) <= 6
    assert min(kept) >= now_ms() - 5 * DAY_MS
    assert len(await times(store, tables.statuses)) == 12
    (epoch,) = await store.operations.epochs(str(name("watchTrades")))
    assert epoch.messages == 13
    scope = SCOPE._replace(exchange=name("x").exchange, symbol=name("x").symbol)
    assert len((await store.market.candles_from_trades(scope, 60_000)).rows) >= 11


async def test_maintenance_may_be_done_by_several_at_once(
    url: str, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Two processes that keep house at the same time leave the same as one."""
    async with Store.open(url) as one, Store.open(url) as other:
        await play(one, journal, trades, name)
        await one.maintain()
        await other.maintain(Retention(other_days=3))
        await one.maintain(Retention(other_days=3))
        assert len(await times(one, tables.trades)) == 13
        assert len(await times(one, tables.statuses)) <= 5


async def test_days_have_partitions_made_ahead(store: Store) -> None:
    """On PostgreSQL the next days' partitions are there before any row of them."""
    await store.maintain()
    if isinstance(store._database, PostgresDatabase):
        stamp = f"{datetime.fromtimestamp(now_ms() / 1000 + 2 * 86_400, UTC):%Y%m%d}"
        async with store._database.reading() as reader:
            assert await reader.fetch(sa.text(f"SELECT to_regclass('book_deltas_{stamp}')::text")) == [
                (f"book_deltas_{stamp}",)
            ]
