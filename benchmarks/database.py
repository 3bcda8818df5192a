"""From the journal to committed rows: dbsync compared with the bare driver of each database."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure, interleaved
from millrace_bus import Bus, EmbeddedServer
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.ids import BEGINNING
from millrace_core.market import BookDelta, Trade, TradesDelta
from millrace_core.messages import Outgoing, encode
from millrace_core.names import AgentId, Tenant
from millrace_core.trace import Trace
from millrace_dbsync.plan import shard_of
from millrace_store import Retention, Store
from millrace_store.testing import PostgresServer

ROUNDS = 5
ROWS = 400_000
"""Rows of each kind: enough for a second or two, so that start and end count little."""
JOURNALS = 4
TRADES_A_MESSAGE = 4
BATCH = 20_000
"""Rows of one transaction of the bare drivers: many, so that commits cost them next to nothing."""
_EPOCH = now_ms() // DAY_MS * DAY_MS
"""Today: maintenance creates each day's partitions in advance."""
_TENANT = Tenant("BENCH")
_AGENT = AgentId("DBSYNC")
_KINDS = {"trades": "watchTrades", "book_deltas": "watchOrderBook"}


async def run(folder: Path) -> list[Figure]:
    """Measure trades and book deltas into SQLite and into PostgreSQL."""
    async with await EmbeddedServer.start(folder / "bus") as redis:
        for table in _KINDS:
            await _fill(redis.url, table)
        figures = [figure for table in _KINDS for figure in await _sqlite(folder, redis.url, table)]
        # Not started before: what it was given it goes on writing long after.
        async with await PostgresServer.start(folder / "postgres") as postgres:
            for table in _KINDS:
                figures += await _postgres(postgres, redis.url, table)
    return figures


async def _sqlite(folder: Path, redis_url: str, table: str) -> list[Figure]:
    numbers = count()

    async def fresh() -> str:
        return f"sqlite:///{folder / f'{table}-{next(numbers)}.db'}"

    async def bare(url: str) -> float:
        return await asyncio.to_thread(_bare_sqlite, url.removeprefix("sqlite:///"), table)

    return await _figures("SQLite", redis_url, table, fresh, bare, "bare executemany")


async def _postgres(postgres: PostgresServer, redis_url: str, table: str) -> list[Figure]:
    numbers = count()

    async def fresh() -> str:
        return await postgres.database(f"{table}{next(numbers)}")

    return await _figures("PostgreSQL", redis_url, table, fresh, lambda url: _bare_postgres(url, table), "bare COPY")


async def _figures(
    database: str,
    redis_url: str,
    table: str,
    fresh: Callable[[], Awaitable[str]],
    bare: Callable[[str], Awaitable[float]],
    peer: str,
) -> list[Figure]:
    """Measure one worker, two workers and the bare driver, each round of each into an empty database."""

    async def ours(workers: int) -> float:
        return await dbsync_rate(redis_url, await _prepared(await fresh()), table, workers)

    async def theirs() -> float:
        return await bare(await _prepared(await fresh()))

    one, two, limit = await interleaved(ROUNDS, lambda: ours(1), lambda: ours(2), theirs)
    name = f"journals to {database}, {table.replace('_', ' ')}"
    return [
        Figure(f"{name}, one worker", "rows/s", one, limit, peer),
        Figure(f"{name}, two workers", "rows/s", two, limit, peer, 0.6),
    ]


async def _fill(url: str, table: str) -> None:
    """Write the journals that all rounds read, under names where no dbsync looks."""
    redis: Any = redis_asyncio.Redis.from_url(url)
    names = journals_of(table)
    for name in names:
        for start in range(1, _messages(table) + 1, 1_000):
            pipeline = redis.pipeline(transaction=False)
            for seq in range(start, min(start + 1_000, _messages(table) + 1)):
                pipeline.xadd(_hidden(name), {"data": _message(_KINDS[table], seq)}, id=f"{_EPOCH}-{seq}")
            await pipeline.execute()
    await redis.sadd("index.tenants", _TENANT)
    await redis.zadd(f"index.journals.{_TENANT}", dict.fromkeys(names, "inf"))
    await redis.aclose()


@cache
def journals_of(table: str) -> list[str]:
    """Return the names of the journals: as many for each of two workers."""
    shares: list[list[str]] = [[], []]
    for number in count():
        name = f"stream.{_TENANT}.binance.{_KINDS[table]}.C{number}/USDT"
        share = shares[shard_of(name, len(shares))]
        if len(share) < JOURNALS // len(shares):
            share.append(name)
        if sum(map(len, shares)) == JOURNALS:
            return sorted(shares[0] + shares[1])
    raise AssertionError("unreachable")


def _hidden(name: str) -> str:
    return f"hidden.{name}"


def _message(action: str, seq: int) -> bytes:
    at_ms = _EPOCH + seq
    trace = Trace(
        exchange=at_ms * 1_000_000, received=at_ms * 1_000_000 + 2_400_000, published=at_ms * 1_000_000 + 2_500_000
    )
    return encode(Outgoing(f"{_EPOCH}-{seq}", "delta", at_ms, trace, _data(action, seq)))


def _data(action: str, seq: int) -> Any:
    if action == "watchTrades":
        first = seq * TRADES_A_MESSAGE
        return TradesDelta([_trade(first + n, _EPOCH + seq) for n in range(TRADES_A_MESSAGE)])
    # As books change: now many levels and now few, often of one side alone.
    random = Random(seq)
    bids = [(round(10.0 - i / 100, 2), _amount(random)) for i in range(random.randint(0, 16))]
    return BookDelta(bids, [(round(10.01 + i / 100, 2), _amount(random)) for i in range(random.randint(0, 8))], seq)


def _amount(random: Random) -> float:
    return round(random.expovariate(0.5), 4)


def _trade(number: int, at_ms: int) -> Trade:
    return Trade(str(number), at_ms, "BTC/USDT", "buy", 40_000 + number / 100, 0.25)


async def dbsync_rate(redis_url: str, url: str, table: str, workers: int) -> float:
    """Store the journals by a dbsync that is at work already; return the rows per second until the last commit."""
    names = journals_of(table)
    async with Bus.connect(redis_url, name="bench") as bus, _running(bus, url, table, workers):
        redis: Any = redis_asyncio.Redis.from_url(redis_url)
        await _rename(redis, {_hidden(name): name for name in names})
        started = time.perf_counter()
        async with Store.open(url, migrate=False) as store:
            while not await _all_stored(store, table):
                await asyncio.sleep(0.01)
        seconds = time.perf_counter() - started
        await _rename(redis, {name: _hidden(name) for name in names})
        await redis.aclose()
    return ROWS / seconds


async def _rename(redis: Any, names: dict[str, str]) -> None:
    """Rename all journals at once: a dbsync finds them full at the same moment."""
    pipeline = redis.pipeline()
    for old, new in names.items():
        pipeline.rename(old, new)
    await pipeline.execute()


async def _all_stored(store: Store, table: str) -> bool:
    stored = await store.operations.positions()
    return all(stored.get(name, BEGINNING).seq == _messages(table) for name in journals_of(table))


@asynccontextmanager
async def _running(bus: Bus, url: str, table: str, workers: int) -> AsyncIterator[None]:
    """Run a dbsync with its workers, as `python -m millrace_dbsync` does."""
    workplan = {"tenant": _TENANT, "assets": [f"stream.{_TENANT}.binance.{_KINDS[table]}.*"], "requests": False}
    config = {"agent": {"id": _AGENT}, "workers": workers, "workplans": [workplan], "agents": False}
    await bus.put_config(_AGENT, json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_dbsync", "--agent-id", _AGENT, "--die-with-parent", str(os.getpid())),
        env={**os.environ, "MILLRACE_DATABASE_URL": url, "MILLRACE_REDIS_URL": bus.url, "MILLRACE_LOG_LEVEL": "error"},
    )
    try:
        while not await _is_live(bus, process.pid, workers):
            await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _is_live(bus: Bus, pid: int, workers: int) -> bool:
    for beat in await bus.heartbeats():
        if beat.pid == pid and len(beat.workers) == workers:
            return len(beat.units) > workers and all(unit.state == "live" for unit in beat.units)
    return False


async def _prepared(url: str) -> str:
    """Create the tables with their keys, indexes and partitions; return the address."""
    async with Store.open(url) as store:
        await store.maintain(Retention())
    return url


def _bare_sqlite(path: str, table: str) -> float:
    rows = _ready(table, repr)
    columns = _COLUMNS[table]
    statement = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    started = time.perf_counter()
    for at in range(0, len(rows), BATCH):
        connection.execute("BEGIN")
        connection.executemany(statement, rows[at : at + BATCH])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return len(rows) / seconds


async def _bare_postgres(url: str, table: str) -> float:
    rows = _ready(table, _decimal)
    connection = await asyncpg.connect(url)
    started = time.perf_counter()
    for at in range(0, len(rows), BATCH):
        await connection.copy_records_to_table(table, records=rows[at : at + BATCH], columns=_COLUMNS[table])
    seconds = time.perf_counter() - started
    await connection.close()
    return len(rows) / seconds


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _messages(table: str) -> int:
    """Return the number of messages of each journal."""
    return ROWS // JOURNALS // (TRADES_A_MESSAGE if table == "trades" else 1)


@cache
def _ready(table: str, number: Callable[[float], Any]) -> list[tuple[Any, ...]]:
    """Return the rows that dbsync makes of the journals, as the driver takes them.

    Made once: a pause before each of its rounds would let the database write what the round before it has left.
    """
    rows: list[tuple[Any, ...]] = []
    for seq in range(1, _messages(table) + 1):
        data, at_ms = _data(_KINDS[table], seq), _EPOCH + seq
        for stream in range(JOURNALS):
            if table == "trades":
                rows += [
                    (stream, at_ms, _EPOCH, seq, n, trade.id, trade.side, number(trade.price), number(trade.amount))
                    for n, trade in enumerate(data.trades)
                ]
            else:
                rows.append((stream, at_ms, _EPOCH, seq, at_ms, data.nonce, encode(data).decode()))
    return rows


_COLUMNS = {
    "trades": ("stream_id", "at_ms", "epoch", "seq", "n", "trade_id", "side", "price", "amount"),
    "book_deltas": ("stream_id", "at_ms", "epoch", "seq", "event_ms", "nonce", "data"),
}
