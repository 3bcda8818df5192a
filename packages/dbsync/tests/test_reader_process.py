import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.names import Tenant
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader import process as reader_process
from millrace_dbsync.reader.local import LocalReader, local_reader
from millrace_dbsync.reader.prepared import ROOM, PreparedBatch, PreparedQueue
from millrace_dbsync.reader.process import ReaderProcess
from millrace_dbsync.reading.intake import JournalNames
from millrace_store import joined
from millrace_store.schema import tables

PLAN = TenantPlan(Tenant("Ann"), ("stream.Ann.*",), True, 0.05, 10_000, 50)


async def reader() -> ReaderProcess:
    process = await ReaderProcess.start()
    assert await process.greeted()
    return process


@asynccontextmanager
async def running(reader: ReaderProcess | LocalReader) -> AsyncIterator[None]:
    """Run a reader in the background."""
    task = asyncio.create_task(reader.run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def until(arrived: PreparedQueue, last: dict[str, MessageId]) -> list[PreparedBatch]:
    """Take batches until they reach so far, and release each."""
    batches, reached = [], dict[str, MessageId]()
    async with asyncio.timeout(20):
        while any(reached.get(name, MessageId(0, 0)) < at for name, at in last.items()):
            prepared = await arrived.get()
            assert prepared is not None
            batches.append(prepared)
            reached |= prepared.summary.last
            prepared.release()
    return batches


def said(batches: list[PreparedBatch], names: dict[str, MessageId]) -> dict[str, Any]:
    """Return all that batches hold of some journals, wherever one batch ends and the next begins."""
    rows = joined([prepared.rows for prepared in batches])
    counts: dict[tuple[int, str], int] = {}
    for one in rows.latencies:
        counts[one.stream, one.hop] = counts.get((one.stream, one.hop), 0) + one.histogram.count
    return {
        "runs": {name: rows.written[name].runs for name in names},
        "rows": {table: rows.all_rows()[table] for table in (tables.trades, tables.book_deltas)},
        "hops": counts,
        "dead": [dead.id for prepared in batches for dead in prepared.summary.dead],
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
    async with local_reader(PLAN, bus, JournalNames(bus.journals()), {}) as source, running(source):
        here = said(await until(source.arrived, last), last)
    process = await reader()
    async with process.reading(bus.url, PLAN, {}), running(process):
        aside = said(await until(process.arrived, last), last)
    assert aside == here
    assert here["dead"] == [MessageId(1, 1)]
    assert len(here["rows"][tables.trades]) == 3_000


async def test_it_reads_on_from_what_is_stored(bus: Bus, feed: Any) -> None:
    """Positions are where reading begins; those of others are not its business."""
    feed.write(50)
    await feed.close()
    name, last = str(feed.trades.name), feed.trades.last
    stored = {name: MessageId(last.epoch, last.seq - 3), "stream.Bob.binance.watchTrades.A/B": MessageId(1, 1)}
    process = await reader()
    async with process.reading(bus.url, PLAN, stored), running(process):
        batches = await until(process.arrived, {name: last})
    assert said(batches, {name: last})["runs"][name] == [(last.epoch, last.seq - 2, last.seq)]
    assert [hole for prepared in batches for hole in prepared.summary.holes if hole.name == name] == []


async def test_it_reads_no_further_than_there_is_room(bus: Bus, feed: Any) -> None:
    """Uncommitted batches are bounded; each released one makes room for one more."""
    feed.write(2_000)
    await feed.drained()
    plan = TenantPlan(Tenant("Ann"), (str(feed.trades.name),), False, 0.0, 20, 50)
    process = await reader()
    async with process.reading(bus.url, plan, {}), running(process), asyncio.timeout(20):
        batches = [await process.arrived.get() for _ in range(ROOM)]
        batches[0].release()  # type: ignore[union-attr]
        batches.append(await process.arrived.get())
        assert process.arrived.empty()
    seqs = [prepared.summary.last[str(feed.trades.name)].seq for prepared in batches if prepared is not None]
    assert seqs == [20 * (number + 1) for number in range(ROOM + 1)]


async def test_when_it_dies_what_had_arrived_is_returned_and_then_nothing(bus: Bus, feed: Any) -> None:
    """Its end ends the queue of batches; it kept nothing that could be lost."""
    feed.write(5)
    await feed.drained()
    process = await reader()
    async with process.reading(bus.url, PLAN, {}), running(process), asyncio.timeout(20):
        first = await process.arrived.get()
        os.kill(process.pid, signal.SIGKILL)
        while (prepared := await process.arrived.get()) is not None:
            prepared.release()
        assert first is not None
        first.release()


async def test_it_ends_with_the_process_that_asked() -> None:
    """Also when that is killed."""
    program = (
        "import asyncio\n"
        "from millrace_dbsync.reader.process import ReaderProcess\n"
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


async def test_a_batch_that_cannot_be_unpacked_is_an_error(
    bus: Bus, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the end of the process counts as its end; anything else that ends receiving is raised."""

    def broken(*_: object) -> PreparedBatch:
        raise ValueError("not a batch")

    monkeypatch.setattr(reader_process, "take_batch", broken)
    feed.write(5)
    process = await reader()
    async with process.reading(bus.url, PLAN, {}), asyncio.timeout(20):
        with pytest.raises(ValueError, match="not a batch"):
            await process.run()
