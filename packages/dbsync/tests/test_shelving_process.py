import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from millrace_bus import JournalPage
from millrace_dbsync.shelved import Shelved
from millrace_dbsync.shelves import Shelves
from millrace_dbsync.shelving_process import WORTHWHILE, ShelvingProcess
from millrace_service.backoff import BackoffPolicy
from millrace_store import Batch

EPOCH = 1763800000000
BOOK = "stream.Ann.binance.watchOrderBook.KCS/USDT"
TRADES = "stream.Ann.binance.watchTrades.KCS/USDT"
DATA = {
    BOOK: {"bids": [[10.0, 3.5]], "asks": [], "nonce": 7},
    TRADES: {"trades": [{"id": "1", "timestamp": EPOCH, "side": "buy", "price": 0.1, "amount": 1e22}]},
}


@pytest.fixture
async def aside() -> AsyncIterator[ShelvingProcess]:
    """The process, to be started by whoever needs it."""
    process = ShelvingProcess(BackoffPolicy(first_s=0.0, limit_s=0.0))
    yield process
    await process.close()


def page(name: str, count: int) -> JournalPage:
    trace = {"exchange": EPOCH * 10**6, "received": EPOCH * 10**6 + 5, "published": EPOCH * 10**6 + 9}
    message = {"type": "delta", "timestamp": EPOCH, "trace": trace, "data": DATA[name]}
    ids = [f"{EPOCH}-{seq}" for seq in range(1, count + 1)]
    return JournalPage([one.encode() for one in ids], [json.dumps({"id": one} | message).encode() for one in ids])


def large() -> dict[str, JournalPage]:
    pages = {BOOK: page(BOOK, WORTHWHILE), TRADES: page(TRADES, 10)}
    pages[TRADES].bodies[3] = b"poison"
    pages[TRADES].bodies[4] = None
    return pages


def histograms(batch: Batch) -> list[tuple[int, str, dict[int, int]]]:
    return [(one.stream, one.hop, one.histogram.buckets) for one in batch.latencies]


async def test_a_large_haul_comes_back_as_if_it_had_been_decoded_here(aside: ShelvingProcess) -> None:
    """Rows, positions, latencies and dead letters are the same."""
    pages = large()
    found = await aside.shelve(pages)
    assert found is not None
    here, shelved = Batch(), Shelved()
    for _ in Shelves().put(here, pages, shelved):
        pass
    batch, told = found
    dead = [table for table in here.rows if table.name == "dead_letters"]
    assert [len(batch.rows.pop(table)) for table in dead] == [len(here.rows.pop(table)) for table in dead] == [2]
    assert (batch.rows, batch.written, batch.minutes) == (here.rows, here.written, here.minutes)
    assert told.dead == shelved.dead
    assert histograms(batch) == histograms(here) != []


async def test_a_small_haul_is_not_worth_a_process(aside: ShelvingProcess) -> None:
    """It is left to the caller, and no process is started for it."""
    assert await aside.shelve({BOOK: page(BOOK, 10)}) is None
    assert aside.pid is None


async def test_whoever_asked_a_process_that_died_decodes_himself(aside: ShelvingProcess) -> None:
    """Nothing is lost with the process, and another one takes its place."""
    await aside.start()
    assert aside.pid is not None
    os.kill(aside.pid, signal.SIGKILL)
    assert await aside.shelve(large()) is None
    assert await aside.shelve(large()) is not None


async def test_the_process_ends_with_the_one_that_asks() -> None:
    """Also when that is killed."""
    program = (
        "import asyncio, sys\n"
        "from millrace_dbsync.shelving_process import ShelvingProcess\n"
        "async def main():\n"
        "    aside = ShelvingProcess()\n"
        "    await aside.start()\n"
        "    print(aside.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    asking = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert asking.stdout is not None
    pid = int(await asking.stdout.readline())
    ended = os.pidfd_open(pid)
    try:
        asking.kill()
        await asking.wait()
        seen = asyncio.Event()
        asyncio.get_running_loop().add_reader(ended, seen.set)
        await asyncio.wait_for(seen.wait(), 30)
        asyncio.get_running_loop().remove_reader(ended)
    finally:
        os.close(ended)
