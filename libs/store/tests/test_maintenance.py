"""Retention and partitions."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import asyncpg
import sqlalchemy as sa

from millrace_core.clock import DAY_MS, now_ms
from millrace_core.intervals import Interval
from millrace_core.market import Balance, Trade
from millrace_core.messages import Status
from millrace_core.names import StreamName, Tenant
from millrace_store import Batch, DatabaseUnavailable, Retention, Scope, Store
from millrace_store.backends.postgres import PostgresDatabase
from millrace_store.portfolio.balances import accounts_at
from millrace_store.schema import tables
from millrace_store.testing import PostgresServer

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
    assert len((await store.market.candles_from_trades(scope, Interval.parse("1m"))).rows) >= 11


async def test_maintenance_may_be_done_by_several_at_once(
    url: str, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Processes that keep house at the same time leave the same as one."""
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(Store.open(url)) for _ in range(4)]
        await play(stores[0], journal, trades, name)
        await asyncio.gather(*(store.maintain(Retention(other_days=3)) for store in stores))
        assert len(await times(stores[0], tables.trades)) == 13
        assert len(await times(stores[0], tables.statuses)) <= 5


async def test_a_row_of_a_day_that_another_process_dropped_is_no_wrong_value(
    url: str, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """A writer that knows the day's partition finds it gone: the batch may be committed again, and is stored."""
    old_ms = now_ms() - 10 * DAY_MS
    stream = journal(name("watchTrades"))
    async with Store.open(url) as writer, Store.open(url) as other:
        for at_ms in (old_ms, old_ms + 1):
            batch = Batch()
            batch.trades(stream.next(at_ms), trades(at_ms, (1.0, 1.0)))
            try:
                await writer.commit(batch)
            except DatabaseUnavailable:
                await writer.commit(batch)
            assert await times(writer, tables.trades) == [at_ms]
            await other.maintain(Retention(trades_days=3))
            assert await times(writer, tables.trades) == []


async def test_a_partition_that_was_half_dropped_is_dropped(
    server: PostgresServer | None, store: Store, journal: Any, trades: Any, name: Callable[..., StreamName]
) -> None:
    """A process that died between the two steps of detaching a day keeps no later one from dropping it."""
    if server is None:
        return
    await play(store, journal, trades, name)
    stamp = f"{datetime.fromtimestamp(now_ms() / 1000 - 7 * 86_400, UTC):%Y%m%d}"
    reading, detaching = await asyncpg.connect(server.url), await asyncpg.connect(server.url)
    try:
        # A reader of the table holds up the second step.
        await reading.execute("BEGIN; SELECT count(*) FROM trades")
        pid = detaching.get_server_pid()
        detach = f"ALTER TABLE trades DETACH PARTITION trades_{stamp} CONCURRENTLY"
        dying = asyncio.create_task(detaching.execute(detach))
        pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
        watching = await asyncpg.connect(server.url)
        while not await watching.fetchval(pending):
            await asyncio.sleep(0.01)
        await watching.execute("SELECT pg_terminate_backend($1)", pid)
        await asyncio.wait([dying])
        assert dying.exception() is not None
        await reading.execute("COMMIT")
        await store.maintain(Retention(trades_days=3))
        assert not await watching.fetchval(pending)
        assert await watching.fetchval("SELECT to_regclass($1)", f"trades_{stamp}") is None
        await watching.close()
    finally:
        await reading.close()
        detaching.terminate()


async def test_days_have_partitions_made_ahead(store: Store) -> None:
    """On PostgreSQL the next days' partitions are there before any row of them."""
    await store.maintain()
    if isinstance(store._database, PostgresDatabase):
        stamp = f"{datetime.fromtimestamp(now_ms() / 1000 + 2 * 86_400, UTC):%Y%m%d}"
        async with store._database.reading() as reader:
            assert await reader.fetch(sa.text(f"SELECT to_regclass('book_deltas_{stamp}')::text")) == [
                (f"book_deltas_{stamp}",)
            ]


async def test_a_late_trade_rebuilds_no_candle_from_what_the_retention_left(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """The stored candle stays; a minute of which nothing was known is built; others begin where all is kept."""
    day = now_ms() // DAY_MS * DAY_MS - 10 * DAY_MS
    stream, scope = journal(name("watchTrades")), SCOPE._replace(exchange=name("x").exchange, symbol=name("x").symbol)
    async with store.batch() as batch:
        for _ in range(16):
            batch.trades(stream.next(day), trades(day, (1.0, 1.0)))
    for _ in range(2):
        await store.maintain(Retention(trades_days=3))
        async with store.batch() as batch:
            for at_ms in (day + 1, day + 60_000):
                batch.trades(stream.next(at_ms), trades(at_ms, (9.0, 1.0)))
        found = (await store.market.candles_from_trades(scope, Interval.parse("1m"))).rows
        assert [(each.at_ms, each.volume, each.high) for each in found] == [(day, 16, 1), (day + 60_000, 1, 9)]
    assert (await store.market.candles_from_trades(scope, Interval.parse("90s"))).rows == []


async def test_a_balance_that_has_not_changed_for_long_is_kept(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """The account still holds it: its equity is that of all balances, whatever is dropped."""
    stream, old = journal(name("watchBalance", None)), now_ms() - 10 * DAY_MS
    async with store.batch() as batch:
        for at_ms, code, amount in ((old, "KCS", 5.0), (old, "USDT", 1.0), (old + 1, "USDT", 2.0)):
            batch.balances(stream.next(at_ms), {code: Balance(free=amount, used=0.0, total=amount)})
    await store.maintain(Retention(other_days=3))
    async with store._database.reading() as reader:
        held = (await accounts_at(reader, Tenant("T"), now_ms())).holdings()
    assert held == [("kucoin", "KCS", (5, 0)), ("kucoin", "USDT", (2, 0))]
    assert await times(store, tables.balances) == [old, old + 1]
