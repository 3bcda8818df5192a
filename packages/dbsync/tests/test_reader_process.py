import asyncio
import os
import signal
import sys
from typing import Any

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.names import Tenant
from millrace_dbsync.known_journals import KnownJournals
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader_process import ReaderProcess
from millrace_dbsync.reading_here import read_here
from millrace_dbsync.ready import ROOM, Arrived, Ready
from millrace_store import joined, schema

PLAN = TenantPlan(Tenant("Ann"), ("stream.Ann.*",), True, 0.05, 10_000, 50)


async def reader() -> ReaderProcess:
    process = await ReaderProcess.start()
    assert await process.greeted()
    return process


async def until(arrived: Arrived, last: dict[str, MessageId]) -> list[Ready]:
    """Take hauls until they reach so far, and release each."""
    hauls, reached = [], dict[str, MessageId]()
    async with asyncio.timeout(20):
        while any(reached.get(name, MessageId(0, 0)) < at for name, at in last.items()):
            ready = await arrived.get()
            assert ready is not None
            hauls.append(ready)
            reached |= ready.told.last
            ready.release()
    return hauls


def said(hauls: list[Ready], names: dict[str, MessageId]) -> dict[str, Any]:
    """Return all that hauls say of some journals, wherever one haul ends and the next begins."""
    batch = joined([haul.batch for haul in hauls])
    counts: dict[tuple[int, str], int] = {}
    for one in batch.latencies:
        counts[one.stream, one.hop] = counts.get((one.stream, one.hop), 0) + one.histogram.count
    return {
        "runs": {name: batch.written[name].runs for name in names},
        "rows": {table: batch.all_rows()[table] for table in (schema.trades, schema.book_deltas)},
        "hops": counts,
        "dead": [dead.id for haul in hauls for dead in haul.told.dead],
    }


async def test_what_another_process_reads_is_what_is_read_here(bus: Bus, feed: Any) -> None:
    """Rows, positions, latencies and dead letters are the same."""
    feed.write(3_000)
    await feed.drained()
    poison = "stream.Ann.kucoin.watchTrades.KCS/USDT"
    await bus._publishing.call("XADD", poison, "1-1", "data", b"{")
    await bus.register_journals(Tenant("Ann"), poison)
    await feed.close()
    last = {
        str(feed.trades.name): feed.trades.last,
        str(feed.book.name): feed.book.last,
        poison: MessageId(1, 1),
    }
    async with read_here(PLAN, bus, KnownJournals(bus.journals()), {}) as source:
        here = said(await until(source.arrived, last), last)
    process = await reader()
    async with process.read(bus.url, PLAN, {}):
        aside = said(await until(process.arrived, last), last)
    assert aside == here
    assert here["dead"] == [MessageId(1, 1)]
    assert len(here["rows"][schema.trades]) == 3_000


async def test_it_reads_on_from_what_is_stored(bus: Bus, feed: Any) -> None:
    """Positions are where reading begins; those of others are not its business."""
    feed.write(50)
    await feed.drained()
    name, last = str(feed.trades.name), feed.trades.last
    stored = {name: MessageId(last.epoch, last.seq - 3), "stream.Bob.binance.watchTrades.A/B": MessageId(1, 1)}
    process = await reader()
    async with process.read(bus.url, PLAN, stored):
        hauls = await until(process.arrived, {name: last})
    assert said(hauls, {name: last})["runs"][name] == [(last.epoch, last.seq - 2, last.seq)]
    assert [hole for haul in hauls for hole in haul.told.holes if hole.name == name] == []


async def test_it_reads_no_further_than_there_is_room(bus: Bus, feed: Any) -> None:
    """Hauls that nobody commits are bounded; each that is released makes room for one more."""
    feed.write(2_000)
    await feed.drained()
    plan = TenantPlan(Tenant("Ann"), (str(feed.trades.name),), False, 0.0, 20, 50)
    process = await reader()
    async with process.read(bus.url, plan, {}), asyncio.timeout(20):
        hauls = [await process.arrived.get() for _ in range(ROOM)]
        hauls[0].release()  # type: ignore[union-attr]
        hauls.append(await process.arrived.get())
        assert process.arrived.empty()
    seqs = [haul.told.last[str(feed.trades.name)].seq for haul in hauls if haul is not None]
    assert seqs == [20 * (number + 1) for number in range(ROOM + 1)]


async def test_when_it_dies_what_had_arrived_is_given_and_then_nothing(bus: Bus, feed: Any) -> None:
    """Whoever reads from it learns of its end; nothing was kept there."""
    feed.write(5)
    await feed.drained()
    process = await reader()
    async with process.read(bus.url, PLAN, {}), asyncio.timeout(20):
        first = await process.arrived.get()
        os.kill(process.pid, signal.SIGKILL)
        while (ready := await process.arrived.get()) is not None:
            ready.release()
        assert first is not None
        first.release()


async def test_it_ends_with_the_process_that_asked() -> None:
    """Also when that is killed."""
    program = (
        "import asyncio\n"
        "from millrace_dbsync.reader_process import ReaderProcess\n"
        "async def main():\n"
        "    process = await ReaderProcess.start()\n"
        "    assert await process.greeted()\n"
        "    print(process.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    asking = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert asking.stdout is not None
    ended = os.pidfd_open(int(await asking.stdout.readline()))
    try:
        seen = asyncio.Event()
        asyncio.get_running_loop().add_reader(ended, seen.set)
        asking.kill()
        await asking.wait()
        await asyncio.wait_for(seen.wait(), 30)
        asyncio.get_running_loop().remove_reader(ended)
    finally:
        os.close(ended)
