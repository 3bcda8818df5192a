"""From the journal to committed rows: dbsync compared with the bare driver of each database."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import redis.asyncio as redis_asyncio
from millrace_dbsync.reader.pool import ReaderPool

from benchmarks.figures import Figure, interleaved
from millrace_bus import Bus, EmbeddedServer
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.config import DbsyncConfig
from millrace_core.market import BookDelta, Trade, TradesDelta
from millrace_core.messages import Outgoing, encode
from millrace_core.names import StreamName, Tenant
from millrace_core.trace import Trace
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.interpreter import suit_bulk
from millrace_dbsync.plan import TenantPlan, plans
from millrace_dbsync.reading.intake import JournalNames
from millrace_dbsync.tenant_journals import TenantJournals
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_store import Retention
from millrace_store.testing import PostgresServer

ROUNDS = 5
ROWS = 400_000
"""Rows of each kind: enough for a second or two, so that start and end count little."""
TRADES_A_MESSAGE = 4
BATCH = 20_000
"""Rows of one transaction of the bare drivers: many, so that commits cost them next to nothing."""
_EPOCH = now_ms() // DAY_MS * DAY_MS
"""Today: maintenance creates each day's partitions in advance."""
_TENANT = Tenant("BENCH")
_KINDS = {"trades": "watchTrades", "book_deltas": "watchOrderBook"}


async def run(folder: Path) -> list[Figure]:
    """Measure trades and book deltas into SQLite and into PostgreSQL."""
    suit_bulk()
    async with await EmbeddedServer.start(folder / "bus") as redis:
        for table, action in _KINDS.items():
            await _fill(redis.url, action, _messages(table))
        figures = [await _sqlite(folder, redis.url, table) for table in _KINDS]
        # Not started before: what it was given it goes on writing long after.
        async with await PostgresServer.start(folder / "postgres") as postgres:
            figures += [await _postgres(postgres, redis.url, table) for table in _KINDS]
    return figures


async def _sqlite(folder: Path, redis_url: str, table: str) -> Figure:
    paths = (folder / f"{table}-{number}.db" for number in range(100))

    async def ours() -> float:
        return await _dbsync(redis_url, f"sqlite:///{next(paths)}", table)

    async def bare() -> float:
        path = next(paths)
        await _make_tables(f"sqlite:///{path}")
        return await asyncio.to_thread(_bare_sqlite, path, table)

    return Figure(
        f"journal to SQLite, {table.replace('_', ' ')}",
        "rows/s",
        *await interleaved(ROUNDS, ours, bare),
        "bare executemany",
        0.6,
    )


async def _postgres(postgres: PostgresServer, redis_url: str, table: str) -> Figure:
    names = (f"{table}{number}" for number in range(100))

    async def ours() -> float:
        return await _dbsync(redis_url, await postgres.database(next(names)), table)

    async def bare() -> float:
        url = await postgres.database(next(names))
        await _make_tables(url)
        return await _bare_postgres(url, table)

    return Figure(
        f"journal to PostgreSQL, {table.replace('_', ' ')}",
        "rows/s",
        *await interleaved(ROUNDS, ours, bare),
        "bare COPY",
        0.6,
    )


async def _fill(url: str, action: str, messages: int) -> None:
    """Write the journal that all rounds read."""
    redis: Any = redis_asyncio.Redis.from_url(url)
    name = f"stream.{_TENANT}.binance.{action}.BTC/USDT"
    for start in range(1, messages + 1, 1_000):
        pipeline = redis.pipeline(transaction=False)
        for seq in range(start, start + 1_000):
            pipeline.xadd(name, {"data": _message(action, seq)}, id=f"{_EPOCH}-{seq}")
        await pipeline.execute()
    await redis.sadd("index.tenants", _TENANT)
    await redis.zadd(f"index.journals.{_TENANT}", {name: "inf"})
    await redis.aclose()


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


async def _dbsync(redis_url: str, url: str, table: str) -> float:
    """Store the journal by a dbsync unit; return the rows per second from its start to the last commit."""
    name = StreamName.parse(f"stream.{_TENANT}.binance.{_KINDS[table]}.BTC/USDT")
    health = _AllStored(_messages(table))
    async with Bus.connect(redis_url, name="bench") as bus, _opened(url) as database, _readers() as readers:
        await bus.ready()
        unit = TenantJournals(_plan(str(name)), bus, JournalNames(bus.journals()), database, readers, health)
        started = time.perf_counter()
        running = asyncio.create_task(unit.run())
        stored = asyncio.create_task(health.stored.wait())
        await asyncio.wait([running, stored], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        seconds = time.perf_counter() - started
        running.cancel()
        await asyncio.wait([running])
    return ROWS / seconds


class _AllStored(UnitHealthReporter):
    """Sets an event when all messages are stored."""

    def __init__(self, messages: int) -> None:
        super().__init__("bench", changed=lambda: None, errors=ErrorLog())
        self._missing = messages
        self.stored = asyncio.Event()

    def count(self, counter: str, by: int | float = 1) -> None:
        """Add to a running total."""
        super().count(counter, by)
        if counter == "messages":
            self._missing -= int(by)
            if self._missing <= 0:
                self.stored.set()


def _plan(asset: str) -> TenantPlan:
    workplan = {"tenant": _TENANT, "assets": [asset]}
    config = DbsyncConfig.model_validate({"agent": {"id": "DBSYNC"}, "workplans": [workplan]})
    plan = plans(config)[f"{_TENANT}.journals"]
    assert isinstance(plan, TenantPlan)
    return plan


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[SharedDatabase]:
    database = SharedDatabase(url)
    await (await database.opened()).maintain(Retention())
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _readers() -> AsyncIterator[ReaderPool]:
    """Start the reading process in advance: a dbsync that has been at work has it."""
    readers = ReaderPool()
    readers.prepare()
    await readers.prepared()
    try:
        yield readers
    finally:
        await readers.close()


async def _make_tables(url: str) -> None:
    """Create the tables with their keys, indexes and partitions, so that the bare driver writes to the same."""
    async with _opened(url):
        pass


def _bare_sqlite(path: Path, table: str) -> float:
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
    """Return the number of messages that make a number of rows."""
    return ROWS // TRADES_A_MESSAGE if table == "trades" else ROWS


@cache
def _ready(table: str, number: Callable[[float], Any]) -> list[tuple[Any, ...]]:
    """Return the rows that dbsync makes of the journal, as the driver takes them.

    Made once: a pause before each of its rounds would let the database write what the round before it has left.
    """
    messages = ((seq, _EPOCH + seq, _data(_KINDS[table], seq)) for seq in range(1, _messages(table) + 1))
    if table == "trades":
        return [
            (1, at_ms, _EPOCH, seq, n, trade.id, trade.side, number(trade.price), number(trade.amount))
            for seq, at_ms, data in messages
            for n, trade in enumerate(data.trades)
        ]
    return [(1, at_ms, _EPOCH, seq, at_ms, data.nonce, encode(data).decode()) for seq, at_ms, data in messages]


_COLUMNS = {
    "trades": ("stream_id", "at_ms", "epoch", "seq", "n", "trade_id", "side", "price", "amount"),
    "book_deltas": ("stream_id", "at_ms", "epoch", "seq", "event_ms", "nonce", "data"),
}
