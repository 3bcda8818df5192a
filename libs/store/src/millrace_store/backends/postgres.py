"""PostgreSQL: a pool of connections, bulk rows by COPY, a partition for each day of the large tables."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import asyncpg

from millrace_core.clock import DAY_MS
from millrace_store.backends.columns import NULL, Columns, csv_lines
from millrace_store.backends.partitions import Connection, Partitions
from millrace_store.backends.reading import note_rows
from millrace_store.backends.sql import POSTGRES, Row, Statement, compiled, insert_missing, remove, replace
from millrace_store.errors import AlreadyThere, DatabaseUnavailable, ValueRejected
from millrace_store.schema.tables import MONEY, PARTITIONED, Table
from millrace_store.schema.upgrade import HEAD, VERSION_TABLE, script

_CONNECTIONS: Final = 10
_CONNECT_TIMEOUT_S: Final = 10.0
_COMMAND_TIMEOUT_S: Final = 120.0
_NOTICED_MS: Final = 500
_SETTING_REFUSED: Final = (
    asyncpg.InvalidParameterValueError,  # by a server on another system than Linux
    asyncpg.ProtocolViolationError,  # by a proxy
    asyncpg.UndefinedObjectError,
)
_MIGRATION_LOCK: Final = 0x6D696C6C72616365
"""Advisory lock key for migrations ("millrace" as a number)."""

# Its pool warns of every failed reconnection, with a traceback; the services report an outage once.
logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)

_GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # the server is starting, stopping, or recovering from a crash
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a standby, or somebody made it read only
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock was not had within `lock_timeout`, or a table is being changed
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.PostgresSystemError,  # the server could not read or write a file
    asyncpg.TransactionRollbackError,  # deadlocks and serialization failures: the same may succeed next time
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class _Reader:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement) -> Sequence[Row]:
        text, values = compiled(statement, POSTGRES)
        with _translated():
            rows = [tuple(record) for record in await self._connection.fetch(text, *values)]
        note_rows(len(rows))
        return rows


class _Writer(_Reader):
    def __init__(self, connection: Connection, partitions: Partitions, *, careful: bool) -> None:
        super().__init__(connection)
        self._partitions, self._careful = partitions, careful

    async def execute(self, statement: Statement) -> int:
        text, values = compiled(statement, POSTGRES)
        with _translated():
            done = await self._connection.execute(text, *values)
        count = done.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def insert(self, table: Table, rows: Columns) -> None:
        with _translated():
            try:
                await (self._merge(table, rows) if self._careful else self._copy(table.name, table, rows))
            except asyncpg.CheckViolationError as error:
                # No table has checks of its own: another process has dropped the partition of a day.
                self._partitions.forget(table.name)
                raise DatabaseUnavailable(f"PostgreSQL: {error}") from error

    async def insert_missing(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        with _translated():
            await self._connection.executemany(insert_missing(table, POSTGRES), rows)

    async def replace(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        with _translated():
            await self._connection.executemany(replace(table, POSTGRES), rows)

    async def remove(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        with _translated():
            await self._connection.executemany(remove(table, POSTGRES), rows)

    async def _merge(self, table: Table, rows: Columns) -> None:
        """Copy into a staging table first: COPY itself cannot skip rows that exist."""
        staging = f"staged_{table.name}"
        await self._connection.execute(
            f"CREATE TEMP TABLE {staging} (LIKE {table.name}) ON COMMIT DROP"  # plain even if the table is partitioned
        )
        await self._copy(staging, table, rows)
        await self._connection.execute(
            f"INSERT INTO {table.name} SELECT * FROM {staging} ON CONFLICT DO NOTHING"  # noqa: S608
        )

    async def _copy(self, into: str, table: Table, rows: Columns) -> None:
        names = [column.name for column in table.columns]
        if not _has_money(table):
            await self._connection.copy_records_to_table(into, records=rows, columns=names)
            return
        # Decimals travel as text: encoding each in PostgreSQL's binary form costs more than everything else.
        lines = csv_lines(rows)
        await self._connection.copy_to_table(into, source=memoryview(lines), columns=names, format="csv", null=NULL)


class PostgresDatabase:
    """A PostgreSQL server, with TimescaleDB or without."""

    dialect = POSTGRES

    def __init__(self, pool: Any, url: str, options: dict[str, Any]) -> None:
        self._pool, self._url, self._options = pool, url, options
        self._partitions = Partitions()

    @classmethod
    async def connect(cls, url: str) -> "PostgresDatabase":
        """Connect a pool.

        Raises:
            DatabaseUnavailable: no server answers.
        """
        with _translated():
            try:
                return await cls._connect(url, _options(_NOTICED_MS))
            except _SETTING_REFUSED:
                return await cls._connect(url, _options())

    @classmethod
    async def _connect(cls, url: str, options: dict[str, Any]) -> "PostgresDatabase":
        return cls(await asyncpg.create_pool(url, min_size=1, max_size=_CONNECTIONS, **options), url, options)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[_Reader]:
        """Open a view of the database as it is now."""
        async with self._connection() as connection:
            with _translated():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield _Reader(connection)
            finally:
                await _end(connection)

    @asynccontextmanager
    async def writing(self, *, careful: bool = False) -> AsyncIterator[_Writer]:
        """Open a transaction."""
        async with self._connection() as connection:
            with _translated():
                await connection.execute("BEGIN")
            try:
                yield _Writer(connection, self._partitions, careful=careful)
                with _translated():
                    await connection.execute("COMMIT")
            finally:
                await _end(connection)

    async def pieces(self, statement: Statement, rows: int) -> AsyncIterator[Sequence[Row]]:
        """Return the rows of a query through a cursor of the server.

        Over a connection of its own and not the pool's: a client may take minutes to download an export.
        """
        text, values = compiled(statement, POSTGRES)
        with _translated():
            connection = await asyncpg.connect(self._url, **self._options)
        try:
            with _translated():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor = await connection.cursor(text, *values)
            while True:
                with _translated():
                    piece = await cursor.fetch(rows, timeout=_COMMAND_TIMEOUT_S)
                if not piece:
                    return
                note_rows(len(piece))
                yield [tuple(record) for record in piece]
        finally:
            await asyncio.shield(_close(connection))

    async def drop_before(self, table: Table, at_ms: int) -> None:
        """Drop whole days where a table has partitions; delete rows elsewhere."""
        async with self._connection() as connection:
            with _translated():
                await self._partitions.drop_before(connection, table.name, at_ms)

    async def prepare(self, table: Table, at_ms: Sequence[int]) -> None:
        """Make the partitions of the days of these times, each in a transaction of its own.

        One that was made within the writer's transaction would be rolled back with it, and still be taken for made.
        """
        if table.name in PARTITIONED and (missing := self._partitions.missing(table.name, _days(at_ms))):
            async with self._connection() as connection:
                with _translated():
                    await self._partitions.make(connection, table.name, missing)

    async def revision(self) -> str | None:
        """Return the revision of the schema; None if the database is empty."""
        async with self._connection() as connection:
            with _translated():
                return await _revision(connection)

    async def migrate(self) -> None:
        """Bring the schema up to date under an advisory lock."""
        async with self._connection() as connection:
            with _translated():
                if await _revision(connection) == HEAD:
                    return
                async with connection.transaction():
                    await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
                    current = await _revision(connection)
                    if current != HEAD:
                        await connection.execute(script("postgresql", current, timescale=await _timescale(connection)))

    async def close(self) -> None:
        """Close the connections, and drop those that do not close within 10 s."""
        try:
            await asyncio.wait_for(self._pool.close(), _CONNECT_TIMEOUT_S)
        except (TimeoutError, *_GONE):
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with _translated():
            connection = await self._pool.acquire(timeout=_CONNECT_TIMEOUT_S)
        try:
            yield connection
        finally:
            with _translated():
                await asyncio.shield(self._pool.release(connection))


def _options(noticed_ms: int | None = None) -> dict[str, Any]:
    """Return what every connection has in common; `noticed_ms` is how soon the server ends queries of dead clients."""
    settings = {"application_name": "millrace"}
    if noticed_ms is not None:
        settings["client_connection_check_interval"] = str(noticed_ms)
    return {"timeout": _CONNECT_TIMEOUT_S, "command_timeout": _COMMAND_TIMEOUT_S, "server_settings": settings}


def _days(at_ms: Sequence[int]) -> set[int]:
    """Return the days of these times (ms), numbered since 1970."""
    first, last = min(at_ms) // DAY_MS, max(at_ms) // DAY_MS
    return {first} if first == last else {at // DAY_MS for at in at_ms}


def _has_money(table: Table) -> bool:
    return any(column.type is MONEY for column in table.columns)


async def _end(connection: Connection) -> None:
    """Roll back the transaction if one is open; a lost connection has rolled it back already."""
    with suppress(*_GONE):
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")


async def _close(connection: Connection) -> None:
    """Close a connection outside the pool, and drop one that does not close within 10 s."""
    with suppress(*_GONE):
        await connection.close(timeout=_CONNECT_TIMEOUT_S)


async def _revision(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
        return None
    found: str | None = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
    return found


async def _timescale(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise AlreadyThere(str(error)) from error
    except ssl.SSLError as error:
        # A certificate that proves nothing is a ValueError as well.
        raise DatabaseUnavailable(f"PostgreSQL: {error}") from error
    except (ValueError, OverflowError) as error:
        # Raised by the driver before anything is sent. Some of these also count as errors of the connection.
        raise ValueRejected(f"PostgreSQL: {error}") from error
    except _GONE as error:
        raise DatabaseUnavailable(f"PostgreSQL: {error or type(error).__name__}") from error
    except asyncpg.PostgresError as error:
        raise ValueRejected(f"PostgreSQL: {error}") from error
