"""Queries of a full database: books at past times, pages and candles of trades, an export of everything."""

import asyncio
import sqlite3
import statistics
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.figures import Figure
from benchmarks.history_rows import BOOK, DAYS, DELTAS, EXCHANGE, SHARES, START_MS, chance, delta_times, fill
from benchmarks.processes import peak_mb
from millrace_core.clock import DAY_MS
from millrace_core.intervals import Interval
from millrace_core.names import PUBLIC, Symbol
from millrace_store import Scope, Store
from millrace_store.testing import PostgresServer

TRADES = 10_000_000
BOOKS = 200
PAGES = 200
PAGE = 1_000
MONTH_MS = 30 * DAY_MS
INTERVALS = ("1h", "7m")
CANDLE_ROUNDS = 5
BOOK_LIMIT_MS, PAGE_LIMIT_MS, CANDLES_LIMIT_S, EXPORT_LIMIT_MB = 30.0, 20.0, 1.0, 300.0
_READ = "SELECT * FROM trades LIMIT 1000000"


async def run(folder: Path, trades: int = TRADES) -> list[Figure]:
    """Fill both databases with the same data, then query one after the other."""
    figures = []
    async with await PostgresServer.start(folder / "postgres", shared_buffers="1GB", max_wal_size="4GB") as postgres:
        urls = {"SQLite": f"sqlite:///{folder / 'history.db'}", "PostgreSQL": await postgres.database("history")}
        await _fill(urls, trades)
        for name, url in urls.items():
            async with Store.open(url) as store:
                figures += [await _books(name, store), await _pages(name, store), *await _candles(name, store)]
            figures += await _export(name, url, folder / "trades.parquet", trades)
    return figures


async def _fill(urls: Mapping[str, str], trades: int) -> None:
    """Fill each database in a process of its own, and show how far they are."""
    spawning = get_context("spawn")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        running = []
        for name, url in urls.items():
            rows = spawning.Value("q", 0)
            process = spawning.Process(target=fill, args=(url, trades, rows))
            process.start()
            running.append((process, rows, progress.add_task(f"filling {name}", total=DELTAS + trades)))
        while any(process.is_alive() for process, _, _ in running):
            for _, rows, task in running:
                progress.update(task, completed=rows.value)
            await asyncio.sleep(0.2)
    assert not any(process.exitcode for process, _, _ in running)


async def _books(database: str, store: Store) -> Figure:
    times, random, taken = delta_times(), chance(4), []
    for _ in range(BOOKS):
        begun_s = time.perf_counter()
        book = await store.market.book(BOOK, at_ms=random.choice(times))
        taken.append(time.perf_counter() - begun_s)
        assert book.bids and book.asks
    return _within(f"book of a past moment, {database}", "ms", statistics.median(taken) * 1_000, BOOK_LIMIT_MS)


async def _pages(database: str, store: Store) -> Figure:
    """Query pages from random times and from cursors as deep; the page before each cursor is not measured."""
    random, taken = chance(5), []
    for number in range(PAGES):
        symbol = Symbol(random.choice(list(SHARES)))
        since_ms = START_MS + random.randrange((DAYS - 1) * DAY_MS)
        scope, cursor = Scope(PUBLIC, EXCHANGE, symbol, since_ms=since_ms), None
        if number % 2:
            cursor = (await store.market.trades(scope, limit=1)).next_cursor
            scope = scope._replace(since_ms=None)
        begun_s = time.perf_counter()
        page = await store.market.trades(scope, limit=PAGE, cursor=cursor, descending=number % 4 == 3)
        taken.append(time.perf_counter() - begun_s)
        assert len(page.rows) == PAGE
    return _within(f"page of 1,000 trades, {database}", "ms", statistics.median(taken) * 1_000, PAGE_LIMIT_MS)


async def _candles(database: str, store: Store) -> list[Figure]:
    scope = Scope(PUBLIC, EXCHANGE, Symbol("BTC/USDT"), since_ms=START_MS, until_ms=START_MS + MONTH_MS)
    figures = []
    for name in INTERVALS:
        interval = Interval.parse(name)
        taken = []
        for _ in range(CANDLE_ROUNDS):
            begun_s = time.perf_counter()
            page = await store.market.candles_from_trades(scope, interval, limit=10_000)
            taken.append(time.perf_counter() - begun_s)
            assert len(page.rows) >= MONTH_MS // interval.length_ms
        seconds = statistics.median(taken)
        figures.append(_within(f"a month's {name} candles from trades, {database}", "s", seconds, CANDLES_LIMIT_S))
    return figures


async def _export(database: str, url: str, file: Path, trades: int) -> list[Figure]:
    """Export every trade with `millrace export`, and watch its memory."""
    options = ("--tenant", PUBLIC, "--database-url", url, "--out", str(file))
    begun_s, highest = time.perf_counter(), 0.0
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "export", "trades", *options), stdout=asyncio.subprocess.DEVNULL
    )
    ended = asyncio.create_task(process.wait())
    while not ended.done():
        highest = max(highest, peak_mb(process.pid))
        await asyncio.wait({ended}, timeout=0.05)
    seconds = time.perf_counter() - begun_s
    assert process.returncode == 0
    assert file.stat().st_size > trades
    bare = await (asyncio.to_thread(_read_sqlite, url) if database == "SQLite" else _read_postgres(url))
    return [
        _within(f"memory of exporting all trades, {database}", "MB", highest, EXPORT_LIMIT_MB),
        Figure(f"export to Parquet, {database}", "rows/s", trades / seconds, bare, "bare reading"),
    ]


def _within(name: str, unit: str, ours: float, limit: float) -> Figure:
    return Figure(name, unit, ours, limit, "limit", 1.0, higher_is_better=False)


def _read_sqlite(url: str) -> float:
    """Read rows and drop them; return rows per second."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    begun_s = time.perf_counter()
    cursor, rows = connection.execute(_READ), 0
    while piece := cursor.fetchmany(20_000):
        rows += len(piece)
    seconds = time.perf_counter() - begun_s
    connection.close()
    return rows / seconds


async def _read_postgres(url: str) -> float:
    connection: Any = await asyncpg.connect(url)
    begun_s = time.perf_counter()
    async with connection.transaction():
        cursor, rows = await connection.cursor(_READ), 0
        while piece := await cursor.fetch(20_000):
            rows += len(piece)
    seconds = time.perf_counter() - begun_s
    await connection.close()
    return rows / seconds
