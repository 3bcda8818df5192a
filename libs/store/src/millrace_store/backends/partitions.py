"""Partitions of PostgreSQL's large tables, one per day: made before a row needs them and dropped when they are old."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from millrace_core.clock import DAY_MS

_FIRST_MS: Final = 1_230_768_000_000
"""2009. Earlier times are mistakes and go to the partition `_early`."""
_LAST_MS: Final = 4_102_444_800_000
"""2100. Later times go to `_late`."""

_PARTITIONS_OF: Final = (
    "SELECT inhrelid::regclass::text, inhdetachpending FROM pg_inherits "
    "WHERE inhparent = $1::text::regclass ORDER BY inhdetachpending DESC"
)
"""Those first that a process has only half detached before it died: until they are, no other one can be detached."""

Connection: TypeAlias = Any
"""A connection of asyncpg, which has no types."""


class Partitions:
    """Makes and drops partitions, and remembers which days have one."""

    def __init__(self) -> None:
        self._made: set[tuple[str, int]] = set()
        self._hypertables: set[str] | None = None

    def missing(self, table: str, days: Iterable[int]) -> list[int]:
        """Return those of these days (numbered since 1970) that may have no partition yet."""
        return [day for day in sorted(days) if (table, day) not in self._made and _FIRST_MS <= day * DAY_MS < _LAST_MS]

    async def make(self, connection: Connection, table: str, days: Iterable[int]) -> None:
        """Make the partitions that do not exist; `connection` must not be in a transaction."""
        for day in days:
            await self._make(connection, table, day)
            self._made.add((table, day))

    async def drop_before(self, connection: Connection, table: str, at_ms: int) -> None:
        """Drop the days that ended before a moment, and delete older rows outside the days."""
        if table in await self._hypertables_of(connection):
            await connection.execute("SELECT drop_chunks($1::text::regclass, older_than => $2::bigint)", table, at_ms)
            return
        # One process at a time: a partition cannot be detached twice. The lock ends with the use of this connection.
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", f"drop partitions of {table}")
        await self._drop_days(connection, table, at_ms)

    def forget(self, table: str) -> None:
        """Forget which days of a table have a partition: another process has dropped one."""
        self._made = {made for made in self._made if made[0] != table}

    async def _drop_days(self, connection: Connection, table: str, at_ms: int) -> None:
        days = await connection.fetch(_PARTITIONS_OF, table)
        for name, is_half_detached in days:
            day = _day_of(name)
            if day is not None and (is_half_detached or (day + 1) * DAY_MS <= at_ms):
                # Concurrently, so that readers of other days do not wait.
                how = "FINALIZE" if is_half_detached else "CONCURRENTLY"
                await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {name} {how}")
                await connection.execute(f"DROP TABLE {name}")
                self._made.discard((table, day))
        rest = f"{table}_early" if days else table
        await connection.execute(f"DELETE FROM {rest} WHERE at_ms < $1", at_ms)  # noqa: S608

    async def _make(self, connection: Connection, table: str, day: int) -> None:
        if table in await self._hypertables_of(connection):
            return
        name = f"{table}_{_stamp(day)}"
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock(hashtext('{name}'))")
            if await connection.fetchval("SELECT to_regclass($1)", name) is None:
                # Created apart and then attached: CREATE … PARTITION OF would wait for every reader of the table, and
                # an export may read for minutes.
                await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS)")
                bounds = f"FROM ({day * DAY_MS}) TO ({(day + 1) * DAY_MS})"
                await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}")

    async def _hypertables_of(self, connection: Connection) -> set[str]:
        if self._hypertables is None:
            there = await connection.fetchval("SELECT to_regclass('timescaledb_information.hypertables')")
            rows = (
                await connection.fetch("SELECT hypertable_name FROM timescaledb_information.hypertables")
                if there is not None
                else []
            )
            self._hypertables = {name for (name,) in rows}
        return self._hypertables


def _stamp(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y%m%d}"


def _day_of(partition: str) -> int | None:
    stamp = partition.rpartition("_")[2]
    if not stamp.isdecimal():
        return None
    return int(datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
