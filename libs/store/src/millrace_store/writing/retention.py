"""The retention: drops old rows, and remembers up to when, so that nothing is built again from what is left."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import DAY_MS
from millrace_store.backends.database import Database, Reader
from millrace_store.schema import tables
from millrace_store.schema.tables import Table

_BOOKS: Final[tuple[Table, ...]] = (tables.book_deltas, tables.snapshots, tables.book_checkpoints)
_OTHER: Final[tuple[Table, ...]] = (
    *(tables.statuses, tables.tickers, tables.events, tables.requests, tables.responses, tables.failed_executions),
    *(tables.order_events, tables.exchange_positions, tables.dead_letters),
)
_REPORTS: Final[tuple[Table, ...]] = (tables.agent_states, tables.latencies, tables.equity)
_BIG: Final = sa.BigInteger()


class Retention(NamedTuple):
    """Days for which each kind of history is kept; None keeps it forever.

    Candles, current orders, own trades and positions, configurations and the audit trail are always kept; so is the
    newest balance of each currency.
    """

    book_days: int | None = None
    """Order-book deltas, snapshots and checkpoints."""
    trades_days: int | None = None
    """The market's trades; candles that were built from them stay."""
    other_days: int | None = None
    """Tickers, statuses, and the history of the tenants' accounts."""


async def drop_old(database: Database, retention: Retention, at_ms: int) -> None:
    """Drop what is older than its days at a moment; minutes must have been built from their trades before."""
    if retention.book_days is not None:
        await _drop(database, _BOOKS, at_ms - retention.book_days * DAY_MS)
    if retention.trades_days is not None:
        before_ms = at_ms - retention.trades_days * DAY_MS
        await _remember(database, tables.trades, before_ms)
        await _drop(database, (tables.trades,), before_ms)
    if retention.other_days is not None:
        before_ms = at_ms - retention.other_days * DAY_MS
        await _drop(database, _OTHER, before_ms)
        await _delete_where(database, tables.balances, _is_replaced(before_ms))
        for table in _REPORTS:
            await _delete_where(database, table, table.c.at_ms < sa.literal(before_ms, _BIG))


async def dropped_before(reader: Reader, table: Table) -> int:
    """Return the moment (ms) before which rows of a table may have been dropped; 0 if none were."""
    known = tables.retention.c
    rows = await reader.fetch(sa.select(known.dropped_before_ms).where(known.subject == table.name))
    return int(rows[0][0]) if rows else 0


async def _drop(database: Database, old: tuple[Table, ...], before_ms: int) -> None:
    for table in old:
        await database.drop_before(table, before_ms)


async def _remember(database: Database, table: Table, before_ms: int) -> None:
    """Remember before the first row is dropped; a longer retention brings nothing back."""
    async with database.writing() as writer:
        if before_ms > await dropped_before(writer, table):
            await writer.replace(tables.retention, [(table.name, before_ms)])


async def _delete_where(database: Database, table: Table, condition: sa.ColumnElement[bool]) -> None:
    async with database.writing() as writer:
        await writer.execute(sa.delete(table).where(condition))


def _is_replaced(before_ms: int) -> sa.ColumnElement[bool]:
    """Return the condition of balances that a newer one of the same currency replaced before a moment.

    What an account holds may not have changed for longer than anything is kept.
    """
    table, newer = tables.balances.c, tables.balances.alias("newer").c
    moment = sa.literal(before_ms, _BIG)
    same = (newer.stream_id == table.stream_id, newer.currency == table.currency)
    is_newer = sa.exists().where(*same, newer.at_ms > table.at_ms, newer.at_ms < moment)
    return sa.and_(table.at_ms < moment, is_newer)
