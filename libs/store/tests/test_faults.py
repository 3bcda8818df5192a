"""The database dies, and nothing is lost or doubled."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from millrace_core.market import Trade
from millrace_core.names import StreamName
from millrace_store import Batch, DatabaseUnavailable, Place, Store, UnsupportedDatabase
from millrace_store.schema import tables
from millrace_store.testing import PostgresServer


async def commit(store: Store, batch: Batch) -> None:
    """Commit a batch however often it takes."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.commit(batch)
            except DatabaseUnavailable:
                await asyncio.sleep(0.05)


async def test_a_killed_postgresql_loses_nothing(
    killable: PostgresServer, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Killed between batches and in the midst of them, each message is there once when it is back."""
    stream = journal(name("watchTrades"))
    async with Store.open(killable.url) as store:
        for round_ in range(3):
            batches = []
            for _ in range(10):
                batch = Batch()
                for _ in range(50):
                    batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
                batches.append(batch)
            await commit(store, batches[0])
            committing = asyncio.create_task(_all(store, batches))
            await asyncio.sleep(0.01 * round_)
            await killable.kill()
            with pytest.raises(DatabaseUnavailable):
                await store.ping()
            await killable.restart()
            await committing
        (epoch,) = await store.operations.epochs(stream.name)
        assert (epoch.first_seq, epoch.last_seq, epoch.messages) == (1, 1500, 1500)
        async with store._database.reading() as reader:
            rows = await reader.fetch(sa.select(tables.trades.c.seq).order_by(tables.trades.c.seq))
        assert [seq for (seq,) in rows] == list(range(1, 1501))


async def _all(store: Store, batches: list[Batch]) -> None:
    for batch in batches:
        await commit(store, batch)


async def test_a_cancelled_commit_may_be_repeated(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Wherever a commit is cancelled, the store goes on and the batch is stored once."""
    stream = journal(name("watchTrades"))
    for delay in (0, 0, 0.001, 0.002, 0.005, 0.01):
        batch = Batch()
        for _ in range(500):
            batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
        committing = asyncio.create_task(store.commit(batch))
        await asyncio.sleep(delay)
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        await store.commit(batch)
    (epoch,) = await store.operations.epochs(stream.name)
    assert epoch.messages == 3_000
    async with store._database.reading() as reader:
        assert await reader.fetch(sa.select(sa.func.count()).select_from(tables.trades)) == [(3_000,)]


async def test_addresses_that_cannot_be(tmp_path: Path) -> None:
    """An unsupported database and one that does not answer raise different errors."""
    with pytest.raises(UnsupportedDatabase):
        async with Store.open("mysql://localhost/x"):
            pass
    with pytest.raises(DatabaseUnavailable):
        async with Store.open("postgresql://postgres@127.0.0.1:1/postgres"):
            pass
    with pytest.raises(DatabaseUnavailable):
        async with Store.open(f"sqlite:///{tmp_path}"):
            pass


async def test_a_stream_name_of_no_known_form_is_stored_all_the_same(store: Store, journal: Any) -> None:
    """A dead letter of a strange key keeps its position; it belongs to no tenant."""
    place: Place = journal("strange key").next()
    async with store.batch() as batch:
        batch.dead_letter(place, "no stream", b"x")
    assert await store.operations.positions() == {"strange key": place.id}


async def test_a_lock_that_is_not_had_in_time_says_nothing_of_the_messages(
    postgres: PostgresServer, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """A person has limited how long a role waits (`lock_timeout`): they are stored when the lock is free."""
    batch, stream = Batch(), journal(name("watchTrades"))
    batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
    limited = f"{postgres.url}{'&' if '?' in postgres.url else '?'}lock_timeout=50"
    async with Store.open(postgres.url) as other, Store.open(limited) as store:
        async with other._database.writing() as writer:
            await writer.execute(sa.text("LOCK TABLE streams IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(DatabaseUnavailable, match="lock timeout"):
                await store.commit(batch)
        await store.commit(batch)
        assert [epoch.messages for epoch in await store.operations.epochs(stream.name)] == [1]
