"""The journals of a tenant are divided among workers: real processes, whose number changes while messages come."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.ids import BEGINNING
from millrace_core.names import Tenant, trader_actions
from millrace_core.requests import Halt
from millrace_dbsync.plan import shard_of

SYMBOLS = ("KCS/USDT", "ETH/USDT", "BTC/USDT", "ADA/USDT")


@pytest.fixture
async def feeds(bus: Bus, make_feed: Any) -> AsyncIterator[list[Any]]:
    """Feeds of several symbols, opened."""
    feeds = [make_feed(bus, symbol) for symbol in SYMBOLS]
    for feed in feeds:
        await feed.open()
    yield feeds
    for feed in feeds:
        await feed.close()


@asynccontextmanager
async def written(feeds: list[Any]) -> AsyncIterator[None]:
    """Write to all feeds without rest."""

    async def write() -> None:
        while True:
            for feed in feeds:
                feed.write(5)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(write())
    yield
    task.cancel()
    await asyncio.wait([task])


async def live(dbsync: Any, *units: str) -> Heartbeat:
    """Wait until exactly these units store journals, and are live."""
    async with asyncio.timeout(60):
        while True:
            beat: Heartbeat | None = await dbsync.heartbeat()
            found = {unit.name: unit.state for unit in beat.units if ".journals" in unit.name} if beat else {}
            if beat and found == dict.fromkeys(units, "live"):
                return beat
            await asyncio.sleep(0.02)


async def keeps_up(dbsync: Any, feeds: list[Any]) -> None:
    """Wait until what is written now is stored, of every feed."""
    newest = [(feed.trades_name, feed.write()) for feed in feeds]
    for name, last in newest:
        await dbsync.reached(name, last)


async def is_whole(dbsync: Any, feeds: list[Any]) -> None:
    """Check that every message is stored once, and counted once."""
    for feed in feeds:
        await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []
    assert await dbsync.rows.fetch("SELECT reason FROM dead_letters") == []
    counted = await dbsync.rows.fetch(
        "SELECT s.name, SUM(l.count) FROM latencies l JOIN streams s ON s.id = l.stream_id "
        "WHERE s.action = 'watchTrades' AND l.hop = 'received→published' GROUP BY s.name"
    )
    assert {name: int(count) for name, count in counted} == {
        str(feed.trades_name): len(await dbsync.stored(str(feed.trades_name), "trades")) for feed in feeds
    }


async def test_two_workers_store_a_tenant_together(dbsync: Any, bus: Bus, feeds: list[Any]) -> None:
    """Each stores its own journals, in a process of its own, the first one the requests too."""
    await bus.requests.send(Tenant("Ann"), Halt())
    await dbsync.configure(workers=2)
    await dbsync.spawn()
    await live(dbsync, "Ann.journals.1", "Ann.journals.2")
    async with written(feeds):
        await keeps_up(dbsync, feeds)
    await is_whole(dbsync, feeds)
    asked = (await dbsync.journal(trader_actions(Tenant("Ann"))))[-1]
    await dbsync.reached(trader_actions(Tenant("Ann")), asked)
    streams = [name for feed in feeds for name in (str(feed.trades_name), str(feed.book_name))]
    shares = [sum(shard_of(name, 2) == shard for name in streams) for shard in (0, 1)]
    async with asyncio.timeout(60):
        # The heartbeat is as old as 5 s.
        while counted(units := await both(dbsync)) != [shares[0] + 1, shares[1]] or not all(map(has_stored, units)):
            await asyncio.sleep(0.05)
    assert len({unit.worker for unit in units}) == 2


def has_stored(unit: UnitHealth) -> bool:
    return bool(unit.counters.get("messages"))


async def both(dbsync: Any) -> list[UnitHealth]:
    return [await dbsync.unit(f"Ann.journals.{number}") for number in (1, 2)]


def counted(units: list[UnitHealth]) -> list[float | None]:
    return [unit.counters.get("streams") for unit in units]


async def test_another_number_of_workers_loses_and_doubles_nothing(dbsync: Any, feeds: list[Any]) -> None:
    """Journals change hands while messages come: each goes on from what is stored."""
    await dbsync.configure()
    await dbsync.spawn()
    await live(dbsync, "Ann.journals")
    async with written(feeds):
        for workers in (3, 1, 2, "each", 0):
            await dbsync.configure(workers=workers)
            several = workers in (2, 3)
            await live(dbsync, *(f"Ann.journals.{n + 1}" for n in range(workers)) if several else ["Ann.journals"])
            await keeps_up(dbsync, feeds)
    await is_whole(dbsync, feeds)


async def test_killed_workers_lose_and_double_nothing(dbsync: Any, feeds: list[Any]) -> None:
    """A worker that dies amid its work is replaced, and its successor goes on from what is stored."""
    await dbsync.configure(workers=2)
    await dbsync.spawn()
    async with written(feeds):
        for number in (1, 2, 1):
            beat = await live(dbsync, "Ann.journals.1", "Ann.journals.2")
            unit = next(unit for unit in beat.units if unit.name == f"Ann.journals.{number}")
            victim = next(worker for worker in beat.workers if worker.name == unit.worker)
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            async with asyncio.timeout(60):
                while not any(
                    w.pid not in (None, victim.pid) and w.name == victim.name
                    for w in (await dbsync.heartbeat()).workers
                ):
                    await asyncio.sleep(0.02)
    await live(dbsync, "Ann.journals.1", "Ann.journals.2")
    await is_whole(dbsync, feeds)


async def test_with_each_a_tenant_is_stored_by_one_unit(dbsync: Any, feeds: list[Any]) -> None:
    """A worker for each unit does not divide the journals; the position in the database is what counts."""
    await dbsync.configure(workers="each")
    await dbsync.spawn()
    beat = await live(dbsync, "Ann.journals")
    assert {worker.name for worker in beat.workers} == {"Ann.journals", "agents", "maintenance"}
    for feed in feeds:
        feed.write(5)
    await is_whole(dbsync, feeds)
    assert (await dbsync.position(str(feeds[0].trades_name)) or BEGINNING) > BEGINNING
