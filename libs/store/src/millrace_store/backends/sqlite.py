"""SQLite: one file in WAL mode, one thread that writes and a few that read."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from millrace_core.decimals import spelled
from millrace_store.backends.columns import Columns
from millrace_store.backends.private_file import make_private
from millrace_store.backends.reading import note_rows
from millrace_store.backends.sql import SQLITE, Row, Statement, compiled, insert_missing, remove, replace
from millrace_store.backends.sqlite_lock import begin, is_busy, once_free
from millrace_store.errors import AlreadyThere, DatabaseUnavailable, ValueRejected
from millrace_store.schema.tables import Table
from millrace_store.schema.upgrade import HEAD, VERSION_TABLE, script

_READERS: Final = 4
_BUSY_TIMEOUT_S: Final = 10.0
_VALUES_A_STATEMENT: Final = 3_500
"""A few hundred rows: far larger statements cost more per row."""
_PAGES_A_CACHE_KIB: Final = 65_536
_PAGES_A_CHECKPOINT: Final = 10_000
"""Pages of the log (40 MB) that are collected before they go to the file: one that changes often is written once."""
_BESIDE: Final = ("-wal", "-shm")
_SAME_KEY: Final = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)

T = TypeVar("T")


class _Connection:
    """A connection and the thread that uses it."""

    def __init__(self, path: Path, name: str, *, reads_only: bool) -> None:
        self._path = path
        self._reads_only = reads_only
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._raw: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the thread. If the caller is cancelled, a change is finished there, and a query ends."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)
        except asyncio.CancelledError:
            if self._reads_only and self._raw is not None:
                self._raw.interrupt()
            raise

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _translated():
            if self._raw is None:
                self._raw = _connect(self._path, reads_only=self._reads_only)
            return work(self._raw)

    async def close(self) -> None:
        """Close the connection and end the thread."""

        def end(_: None = None) -> None:
            if self._raw is not None:
                self._raw.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, end)
        self._thread.shutdown(wait=False)


class _Reader:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement) -> Sequence[Row]:
        text, values = compiled(statement, SQLITE)
        rows = await self._connection.run(lambda raw: _fetch(raw, text, values))
        note_rows(len(rows))
        return rows


class _Writer(_Reader):
    async def execute(self, statement: Statement) -> int:
        text, values = compiled(statement, SQLITE)
        return await self._connection.run(lambda raw: raw.execute(text, _plain(values)).rowcount)

    async def insert(self, table: Table, rows: Columns) -> None:
        await self._connection.run(lambda raw: _insert(raw, table, rows))

    async def insert_missing(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        await self._many(insert_missing(table, SQLITE), rows)

    async def replace(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        await self._many(replace(table, SQLITE), rows)

    async def remove(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        await self._many(remove(table, SQLITE), rows)

    async def _many(self, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
        plain = [_plain(row) for row in rows]
        await self._connection.run(lambda raw: raw.executemany(text, plain))


class SqliteDatabase:
    """A SQLite file."""

    dialect = SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _Connection(path, "sqlite-writer", reads_only=False)
        self._writing = asyncio.Lock()
        self._readers = [_Connection(path, f"sqlite-reader-{n}", reads_only=True) for n in range(_READERS)]
        self._idle: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        for reader in self._readers:
            self._idle.put_nowait(reader)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[_Reader]:
        """Open a view of the file as it is now."""
        connection = await _in_time(self._idle.get(), "no free connection")
        try:
            yield _Reader(connection)
        finally:
            try:
                await asyncio.shield(connection.run(_rollback))
            finally:
                # Also when cancelled here: the connection's thread rolls back before it does anything else.
                self._idle.put_nowait(connection)

    @asynccontextmanager
    async def writing(self, *, careful: bool = False) -> AsyncIterator[_Writer]:
        """Open a transaction. Inserts are always careful, which costs nothing here."""
        async with self._turn_to_write():
            try:
                await self._writer.run(lambda raw: begin(raw, _BUSY_TIMEOUT_S))
                yield _Writer(self._writer)
                await self._writer.run(lambda raw: raw.execute("COMMIT"))
            except BaseException:
                await asyncio.shield(self._writer.run(_rollback))
                raise

    async def pieces(self, statement: Statement, rows: int) -> AsyncIterator[Sequence[Row]]:
        """Return the rows of a query in pieces, over a connection of their own: an export may take minutes."""
        text, values = compiled(statement, SQLITE)
        connection = _Connection(self._path, "sqlite-export", reads_only=True)
        try:
            cursor = await connection.run(lambda raw: raw.execute(text, _plain(values)))
            while piece := await connection.run(lambda _: cursor.fetchmany(rows)):
                note_rows(len(piece))
                yield piece
        finally:
            await asyncio.shield(connection.close())

    async def drop_before(self, table: Table, at_ms: int) -> None:
        """Delete old rows stream by stream, ten minutes of rows at a time, so that the writer never waits for long."""
        streams = await self._writer.run(lambda raw: raw.execute("SELECT id FROM streams").fetchall())
        many = f"DELETE FROM {table.name} WHERE stream_id = ? AND at_ms >= ? AND at_ms < ?"  # noqa: S608
        first = f"SELECT min(at_ms) FROM {table.name} WHERE stream_id = ?"  # noqa: S608
        for (stream,) in streams:
            while True:
                async with self.writing():
                    ((oldest,),) = await self._writer.run(lambda raw, s=stream: raw.execute(first, (s,)).fetchall())  # type: ignore[misc]
                    if oldest is None or oldest >= at_ms:
                        break
                    slice_ = (stream, oldest, min(at_ms, oldest + 600_000))
                    await self._writer.run(lambda raw, v=slice_: raw.execute(many, v))  # type: ignore[misc]

    async def prepare(self, table: Table, at_ms: Sequence[int]) -> None:
        """Do nothing: a SQLite table takes rows of any day."""

    async def revision(self) -> str | None:
        """Return the revision of the schema; None if the file is empty."""
        return await self._readers[0].run(_revision)

    async def migrate(self) -> None:
        """Bring the schema up to date under the file's write lock."""
        if await self._writer.run(_revision) != HEAD:
            async with self._turn_to_write():
                await self._writer.run(_migrate)

    async def close(self) -> None:
        """Close the file."""
        for connection in (*self._readers, self._writer):
            await connection.close()

    @asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[None]:
        await _in_time(self._writing.acquire(), "another transaction of this process did not finish")
        try:
            yield
        finally:
            self._writing.release()


async def _in_time(waiting: Awaitable[T], problem: str) -> T:
    """Wait as long as SQLite itself waits for a lock.

    Raises:
        DatabaseUnavailable: the time is over.
    """
    try:
        async with asyncio.timeout(_BUSY_TIMEOUT_S):
            return await waiting
    except TimeoutError as error:
        raise DatabaseUnavailable(f"SQLite: {problem} within {_BUSY_TIMEOUT_S:g} s") from error


def _connect(path: Path, *, reads_only: bool) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    _keep_private(path)
    raw = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    # The busy timeout does not cover the lock for changing the mode, when several processes open a new file at once.
    once_free(raw, "PRAGMA journal_mode=WAL", _BUSY_TIMEOUT_S)
    # With WAL, NORMAL can lose the newest commits in a power cut, never in a crash. Rows and positions are lost
    # together, and the journals still hold the messages.
    raw.execute("PRAGMA synchronous=NORMAL")
    raw.execute(f"PRAGMA cache_size=-{_PAGES_A_CACHE_KIB // (4 if reads_only else 1)}")
    raw.execute(f"PRAGMA wal_autocheckpoint={_PAGES_A_CHECKPOINT}")
    if reads_only:
        raw.execute("PRAGMA query_only=ON")
    return raw


def _keep_private(path: Path) -> None:
    """Let only the owner read a database; SQLite makes the files beside it with the same permissions."""
    for file in (path, *(Path(f"{path}{suffix}") for suffix in _BESIDE)):
        if file is path or file.exists():
            with suppress(OSError):  # SQLite says better what is wrong
                make_private(file)


def _insert(raw: sqlite3.Connection, table: Table, rows: Columns) -> None:
    """Add rows, many a statement.

    executemany releases the interpreter's lock and takes it again for every row, which beside a busy event loop can
    cost 5 ms each time; this does so once for several hundred rows.
    """
    width = len(rows.lists)
    names = ",".join(column.name for column in table.columns)
    start = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608
    group = f"({','.join('?' * width)})"
    step = max(1, _VALUES_A_STATEMENT // width)
    for at in range(0, len(rows), step):
        count = min(step, len(rows) - at)
        values: list[Any] = [None] * (count * width)
        for place, column in enumerate(rows.lists):
            values[place::width] = column[at : at + count]
        raw.execute(f"{start}{','.join([group] * count)} ON CONFLICT DO NOTHING", values)


def _fetch(raw: sqlite3.Connection, text: str, values: Sequence[Any]) -> list[Row]:
    if not raw.in_transaction:
        # The first query of a view: the transaction sees the file as it is now.
        raw.execute("BEGIN")
    return raw.execute(text, _plain(values)).fetchall()


def _plain(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values as SQLite takes them: decimals as text."""
    return tuple(spelled(str(value)) if isinstance(value, Decimal) else value for value in values)


def _rollback(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        raw.execute("ROLLBACK")


def _revision(raw: sqlite3.Connection) -> str | None:
    there = raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
    found = raw.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if there else None  # noqa: S608
    return None if found is None else str(found[0])


def _migrate(raw: sqlite3.Connection) -> None:
    begin(raw, _BUSY_TIMEOUT_S)
    try:
        current = _revision(raw)
        if current != HEAD:
            for statement in script("sqlite", current).split(";\n"):
                if statement.strip():
                    raw.execute(statement)
        raw.execute("COMMIT")
    finally:
        _rollback(raw)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        if getattr(error, "sqlite_errorcode", 0) in _SAME_KEY:
            raise AlreadyThere(str(error)) from error
        raise ValueRejected(f"SQLite: {error}") from error
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise DatabaseUnavailable(f"SQLite: another process has held the file for {_BUSY_TIMEOUT_S:g} s") from error
        raise DatabaseUnavailable(f"SQLite: {error}") from error
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise ValueRejected(f"SQLite: {error}") from error
