"""Real servers: Redis and both databases, each to be killed; writers to feed the journals; dbsync itself."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest

from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.clock import now_ms, now_ns
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.market import BookDelta, BookSnapshot, Trade, TradesDelta, TradesSnapshot
from millrace_core.names import AgentId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_dbsync import DbsyncAgent
from millrace_service import Settings, run_agent
from millrace_store.testing import KillablePostgres, PostgresServer

AGENT = AgentId("DBSYNC")
TENANT = Tenant("Ann")
_MESSAGE_TABLES = (
    *("book_deltas", "snapshots", "statuses", "trades", "tickers", "events", "own_trades", "order_events"),
    *("balances", "requests", "responses", "dead_letters"),
)


class Rows(Protocol):
    """A database in the test's hands, read by plain SQL."""

    url: str

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Return a query's rows."""

    async def kill(self) -> None:
        """Make it unavailable, as rudely as that database can be."""

    async def restart(self) -> None:
        """Make it available again."""


class SqliteRows:
    """A database in a file. It has no server to kill; a lock keeps it from answering."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self._lock: sqlite3.Connection | None = None

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Return a query's rows."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    async def kill(self) -> None:
        """Lock it for writing."""
        self._lock = sqlite3.connect(self.path, isolation_level=None, timeout=10, check_same_thread=False)
        # Beside the event loop, in which the dbsync that holds the lock has to go on to release it.
        await asyncio.to_thread(self._lock.execute, "BEGIN IMMEDIATE")

    async def restart(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@pytest.fixture(params=["sqlite", "postgresql"])
def database_server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The server of this test's database; None where it is the turn of SQLite."""
    found: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return found


@pytest.fixture
async def rows(database_server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[Rows]:
    """An empty database: each test runs on both kinds."""
    database: Rows = SqliteRows(tmp_path / "millrace.db")
    if database_server is not None:
        database = KillablePostgres(database_server, await database_server.database(f"t{os.urandom(6).hex()}"))
    yield database
    await database.restart()


class Feed:
    """A gatherer in small: a stream of trades and one of a book, written as fast as the test likes."""

    def __init__(self, bus: Bus, symbol: str = "KCS/USDT", retention: int = 100_000) -> None:
        self.bus = bus
        self.trades_name = self._name("watchTrades", symbol)
        self.book_name = self._name("watchOrderBook", symbol)
        self.trades = bus.writer(self.trades_name, self._trades_snapshot, retention=retention)
        self.book = bus.writer(self.book_name, self._book_snapshot, retention=retention)
        self._count = 0

    async def open(self) -> None:
        """Open both."""
        await self.trades.open()
        await self.book.open()

    def write(self, count: int = 1) -> MessageId:
        """Write so many messages on each stream; return the id of the last one of trades."""
        for _ in range(count):
            self._count += 1
            trade = Trade(str(self._count), now_ms(), "KCS/USDT", "buy", 10.0 + self._count / 100, 0.5)
            trace = Trace(exchange=now_ns() - 3_000_000, received=now_ns() - 1_000_000)
            last = self.trades.delta(TradesDelta([trade]), timestamp=now_ms(), trace=trace)
            self.book.delta(BookDelta([(10.0, self._count)], [], nonce=self._count), timestamp=now_ms(), trace=trace)
        return last

    async def drained(self) -> None:
        """Wait until Redis has all of it."""
        await self.trades.drained()
        await self.book.drained()

    async def close(self) -> None:
        """Close both."""
        await self.trades.close()
        await self.book.close()

    def _name(self, action: str, symbol: str) -> StreamName:
        return StreamName.parse(f"stream.{TENANT}.binance.{action}.{Symbol(symbol)}")

    def _trades_snapshot(self, as_of: MessageId) -> TradesSnapshot:
        return TradesSnapshot([], str(as_of))

    def _book_snapshot(self, as_of: MessageId) -> BookSnapshot:
        return BookSnapshot([(10.0, self._count)] if self._count else [], [], str(as_of), 0, self._count)


class Dbsync:
    """A dbsync, in the test's own event loop or as a process, and what it has stored."""

    def __init__(self, server: EmbeddedServer, bus: Bus, rows: Rows, data_dir: Path) -> None:
        self._server, self._bus, self.rows, self._data_dir = server, bus, rows, data_dir
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def configure(self, *assets: str, **fields: Any) -> None:
        """Write its configuration: these journals of the tenant."""
        plans = [{"tenant": TENANT, "assets": assets or (f"stream.{TENANT}.*",)}]
        config = {"agent": {"id": AGENT}, "workplans": plans, "batchInterval": 0.05, **fields}
        await self._bus.put_config(AGENT, json.dumps(config))

    async def start(self, *assets: str, **fields: Any) -> None:
        """Configure it, and run it in this event loop."""
        await self.configure(*assets, **fields)
        settings = Settings(agent_id=AGENT, redis_url=self._server.url, data_dir=self._data_dir)
        self._stop.clear()
        self._task = asyncio.create_task(run_agent(DbsyncAgent(self.rows.url), settings, stop=self._stop))

    async def stop(self) -> None:
        """End it in order."""
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def spawn(self) -> None:
        """Run it as a process; its configuration must be there."""
        environ = {**os.environ, "MILLRACE_DATABASE_URL": self.rows.url, "MILLRACE_REDIS_URL": self._server.url}
        command = (sys.executable, "-m", "millrace_dbsync", "--agent-id", AGENT, "--die-with-parent", str(os.getpid()))
        log = (self._data_dir / "dbsync.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=log, stderr=log)
        log.close()

    async def kill(self) -> None:
        """Kill the process with -9."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            await process.wait()

    async def unit(self, name: str = f"{TENANT}.journals") -> UnitHealth | None:
        """Return what a unit says of itself in the heartbeat."""
        beat = await self.heartbeat()
        return next((unit for unit in beat.units if unit.name == name), None) if beat else None

    async def unit_with(self, counter: str) -> UnitHealth:
        """Wait until the unit of the tenant's journals counts something."""
        async with asyncio.timeout(60):
            while (unit := await self.unit()) is None or counter not in unit.counters:
                await asyncio.sleep(0.05)
        return unit

    async def unit_in_state(self, state: str) -> None:
        """Wait until the unit of the tenant's journals is in a state."""
        async with asyncio.timeout(60):
            while (unit := await self.unit()) is None or unit.state != state:
                await asyncio.sleep(0.05)

    async def heartbeat(self) -> Heartbeat | None:
        """Return its heartbeat."""
        return next((beat for beat in await self._bus.heartbeats() if beat.id == AGENT), None)

    async def journal(self, name: str) -> list[MessageId]:
        """Return the ids of everything that a journal holds."""
        async with self._bus.journals() as journals:
            found = await journals.read({name: BEGINNING}, most=1_000_000)
        return [entry.id for entry in found.get(name, [])]

    async def stored(self, name: str, *tables: str) -> list[MessageId]:
        """Return the ids of the messages of a journal that left rows, sorted; one that is there twice is twice."""
        union = " UNION ALL ".join(
            f"SELECT stream_id, epoch, seq{', n' if table in _SEVERAL else ', 0 AS n'} FROM {table}"
            for table in tables or _MESSAGE_TABLES
        )
        query = f"SELECT epoch, seq, n FROM ({union}) m JOIN streams s ON s.id = m.stream_id WHERE s.name = '{name}'"
        return sorted(MessageId(epoch, seq) for epoch, seq, n in await self.rows.fetch(query) if n == 0)

    async def gaps(self) -> list[tuple[Any, ...]]:
        """Return the gaps: stream, epoch, first, last, how many, why."""
        return await self.rows.fetch(
            "SELECT s.name, g.epoch, g.first_seq, g.last_seq, g.missing, g.reason FROM gaps g "
            "JOIN streams s ON s.id = g.stream_id ORDER BY s.name, g.epoch, g.first_seq"
        )

    async def position(self, name: str) -> MessageId | None:
        """Return up to where a journal is stored; None while it is not, or the database does not answer."""
        try:
            found = await self.rows.fetch(f"SELECT position_epoch, position_seq FROM streams WHERE name = '{name}'")
        except (OSError, sqlite3.Error, asyncpg.PostgresError):
            return None
        return MessageId(*found[0]) if found else None

    async def reached(self, name: object, last: MessageId, within_s: float = 30) -> None:
        """Wait until a journal is stored up to a message; fail once it has got no further for so long."""
        at: MessageId | None = None
        while at is None or at < last:
            before = at
            async with asyncio.timeout(within_s):
                while (at := await self.position(str(name))) is None or at == before:
                    await asyncio.sleep(0.02)

    async def all_stored(self, *writers: StreamWriter) -> None:
        """Wait until everything that was written is stored, and check it: one for one, and no gap."""
        for writer in writers:
            await writer.drained()
            # Its status goes on while we look.
            name, last = str(writer.name), writer.last
            assert last is not None
            await self.reached(name, last)
            stored = [message for message in await self.stored(name) if message <= last]
            assert stored == [message for message in await self.journal(name) if message <= last]


_SEVERAL = frozenset({"trades", "own_trades", "order_events", "balances"})


@pytest.fixture
async def feed(bus: Bus) -> AsyncIterator[Feed]:
    """A feed, opened."""
    feed = Feed(bus)
    await feed.open()
    yield feed
    await feed.close()


@pytest.fixture
def make_feed() -> type[Feed]:
    """Make further feeds."""
    return Feed


@pytest.fixture
async def dbsync(server: EmbeddedServer, bus: Bus, rows: Rows, tmp_path: Path) -> AsyncIterator[Dbsync]:
    """A dbsync on an empty database, still to be started."""
    dbsync = Dbsync(server, bus, rows, tmp_path)
    yield dbsync
    await dbsync.stop()
    await dbsync.kill()
