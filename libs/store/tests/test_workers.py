"""Workers: the same answers as in the process itself, at no cost of it, and nothing is left of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from copy import copy
from typing import Any

import asyncpg
import msgspec
import psutil
import pytest

from millrace_core.intervals import Interval
from millrace_core.market import Trade
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant
from millrace_store import BadCursor, BookUnknown, QuestionTooLarge, Scope, Store, WorkerEnded
from millrace_store.backends.reading import rows_read
from millrace_store.testing import PostgresServer
from millrace_store.workers import pool as pools
from millrace_store.workers.pool import WorkerPool
from millrace_store.workers.query import Export, Query, encoded
from millrace_store.workers.turns import Turns

ANN, BOB, CYD = Tenant("T"), Tenant("Bob"), Tenant("Cyd")
SCOPE = Scope(ANN, ExchangeId("kucoin"), Symbol("KCS/USDT"))
INTERVAL = Interval(length_ms=90_000)


@pytest.fixture
async def pool(store: Store) -> AsyncIterator[WorkerPool]:
    """Workers of the test's database."""
    pool = WorkerPool(store.url)
    yield pool
    await pool.close()


async def stored(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName], messages: int = 300
) -> None:
    """Store messages of three trades each, a second apart."""
    stream = journal(name("watchTrades"))
    async with store.batch() as batch:
        for second in range(messages):
            at_ms = stream.epoch + 1_000 * second
            batch.trades(stream.next(at_ms), trades(at_ms, (100.5, 1e-8), (99.5, 0.2), (101.0, 1.0)))


async def whole(pool: WorkerPool, asked: Query | Export, tenant: Tenant = ANN) -> bytes:
    async with aclosing(pool.answer(asked, tenant)) as pieces:
        return b"".join([piece async for piece in pieces])


_of_others = set[int]()
"""Workers of other tests in this process that have not ended yet."""


@pytest.fixture(autouse=True)
def others_are_known() -> None:
    """Note whose workers run already."""
    _of_others.clear()
    _of_others.update(each.pid for each in workers())


def workers() -> list[psutil.Process]:
    """Return the workers of this test that run: what was forked from the one process that forks them."""
    found = list[psutil.Process]()
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # also of one that has ended and was not waited for
            if any("fork_server" in word for word in each.cmdline()):
                found += [worker for worker in each.children() if worker.pid not in _of_others]
    return found


async def started() -> psutil.Process:
    """Return the worker that is started next."""
    while not (found := workers()):
        await asyncio.sleep(0.001)
    return found[0]


async def ended() -> None:
    """Wait until no worker runs: a process that has closed its sockets is listed for a moment more."""
    async with asyncio.timeout(5):
        while workers():
            await asyncio.sleep(0.001)


async def test_a_worker_answers_as_the_process_itself_would(
    store: Store, pool: WorkerPool, journal: Any, trades: Any, name: Any
) -> None:
    """To the byte; its rows are counted here; one worker answers queries, exports and what is refused in turn."""
    await stored(store, journal, trades, name)
    counted = list[int]()
    rows_read.set(counted.append)
    candles = store.market.candles_from_trades
    mine = encoded(await candles(SCOPE, INTERVAL, limit=10_000))
    here = sum(counted)
    theirs = await whole(pool, Query.of(store, candles, SCOPE, INTERVAL, limit=10_000))
    assert theirs == mine
    assert sum(counted) == 2 * here >= 900
    file = b"".join([piece async for piece in store.exports.stream("trades", SCOPE, "csv")])
    assert await whole(pool, Export("trades", SCOPE, "csv")) == file
    with pytest.raises(BadCursor, match="invalid cursor"):
        await whole(pool, Query.of(store, candles, SCOPE, INTERVAL, cursor="x"))
    with pytest.raises(ValueError, match="need an exchange"):
        await whole(pool, Query.of(store, candles, SCOPE._replace(symbol=None), INTERVAL))
    assert await whole(pool, Query.of(store, store.account.order_history, SCOPE, order_id="none")) == b"null"
    assert len(workers()) == 1
    assert workers()[0].nice() > psutil.Process().nice() or psutil.Process().nice() == 19


async def test_an_answer_that_nobody_waits_for_ends_at_once(
    store: Store, pool: WorkerPool, journal: Any, trades: Any, name: Any
) -> None:
    """The process is gone when the iterator is closed, or its reader cancelled; the next order is carried out."""
    await stored(store, journal, trades, name)
    async with aclosing(pool.answer(Export("trades", SCOPE, "csv"), ANN)) as pieces:
        await anext(pieces)
        assert workers()
    await ended()
    asked = asyncio.create_task(whole(pool, Query.of(store, store.operations.streams, Scope(ANN))))
    await started()
    asked.cancel()
    await asyncio.wait({asked})
    await ended()
    assert msgspec.json.decode(await whole(pool, Query.of(store, store.operations.streams, Scope(ANN))))["items"]


async def test_a_worker_that_is_killed_is_replaced(
    store: Store, pool: WorkerPool, journal: Any, trades: Any, name: Any
) -> None:
    """Its reader learns that the answer is not whole; one that dies while it rests costs nobody an answer."""
    # More than the sockets between hold, so that the worker cannot be done.
    await stored(store, journal, trades, name, messages=20_000)
    async with aclosing(pool.answer(Export("trades", SCOPE, "csv"), ANN)) as pieces:
        await anext(pieces)
        (busy,) = workers()
        busy.kill()
        with pytest.raises(WorkerEnded):
            _ = [piece async for piece in pieces]
    asked = Query.of(store, store.operations.streams, Scope(Tenant("Nobody")))
    assert await whole(pool, asked) == b'{"items":[]}'
    (resting,) = workers()
    resting.kill()
    while not next(iter(pool._idle)).has_ended:
        await asyncio.sleep(0.001)
    assert await whole(pool, asked) == b'{"items":[]}'


async def test_postgresql_ends_the_query_of_a_killed_worker(killable: PostgresServer) -> None:
    """Within a second, also while the query waits."""
    async with Store.open(killable.url) as store:
        pool, locking, other = WorkerPool(store.url), *[await asyncpg.connect(killable.url) for _ in range(2)]
        await locking.execute("BEGIN; LOCK TABLE streams IN ACCESS EXCLUSIVE MODE")
        asked = asyncio.create_task(whole(pool, Query.of(store, store.operations.streams, Scope(ANN))))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not await other.fetchval(waiting):
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.wait({asked})
        async with asyncio.timeout(20):
            while await other.fetchval(waiting):
                await asyncio.sleep(0.01)
        await pool.close()
        await locking.close()
        await other.close()


async def test_a_worker_ends_when_it_has_rested(
    store: Store, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does what it was forked from: all memory is given back."""
    monkeypatch.setattr(pools, "IDLE_S", 0.01)
    await whole(pool, Query.of(store, store.operations.streams, Scope(ANN)))
    async with asyncio.timeout(20):
        while pool._workers or pool._ending or pool._server is not None:
            await asyncio.sleep(0.001)
    assert not workers()


async def test_places_go_to_the_tenant_that_has_the_fewest() -> None:
    """Whoever asked first waits no longer than for one of each other tenant; who leaves takes no place."""
    turns, order = Turns(2), list[str]()
    release = asyncio.Semaphore(0)

    async def work(tenant: Tenant, name: str) -> None:
        async with turns.turn(tenant):
            order.append(name)
            await release.acquire()

    names = [(ANN, "a1"), (ANN, "a2"), (ANN, "a3"), (ANN, "a4"), (BOB, "b1"), (CYD, "c1"), (BOB, "b2")]
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(work(tenant, name)) for tenant, name in names}
        await asyncio.sleep(0)
        tasks["c1"].cancel()
        for _ in range(len(names)):
            release.release()
            await asyncio.sleep(0.001)
    assert order == ["a1", "a2", "b1", "a3", "b2", "a4"]


def test_errors_travel_with_what_they_say() -> None:
    """Whatever their constructors take."""
    copied = copy(QuestionTooLarge(5))
    assert (type(copied), str(copied)) == (QuestionTooLarge, str(QuestionTooLarge(5)))
    assert copy(BookUnknown("why")).reason == "why"
