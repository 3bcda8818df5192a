"""What keeps queries quick and the disk bounded."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import now_ms
from millrace_store.backends.database import Database
from millrace_store.queries import candles
from millrace_store.schema import tables
from millrace_store.schema.tables import Table
from millrace_store.writing import checkpoints

_DAY_MS: Final = 86_400_000
_DAYS_AHEAD: Final = 2
_LARGE: Final[tuple[Table, ...]] = (
    *(tables.book_deltas, tables.snapshots, tables.book_checkpoints),
    *(tables.statuses, tables.trades, tables.tickers),
)
_OTHER: Final[tuple[Table, ...]] = (
    *(tables.statuses, tables.tickers, tables.events, tables.requests, tables.responses, tables.failed_executions),
    *(tables.order_events, tables.own_trades, tables.balances, tables.dead_letters),
)


class Retention(NamedTuple):
    """For how many days each kind of history is kept; None keeps it for ever.

    Candles, current orders, configurations and the audit trail are small, and always kept.
    """

    book_days: int | None = None
    """Order-book deltas, snapshots and checkpoints."""
    trades_days: int | None = None
    """The market's trades; candles that were built from them stay."""
    other_days: int | None = None
    """Tickers, statuses, and what happened to the tenants' accounts."""


async def maintain(database: Database, retention: Retention) -> None:
    """See `Store.maintain`."""
    now = now_ms()
    coming = [now + days * _DAY_MS for days in range(_DAYS_AHEAD + 1)]
    for table in _LARGE:
        await database.prepare(table, coming)
    await candles.rebuild_stale(database)
    await checkpoints.extend(database)
    for kept_days, old in (
        (retention.book_days, (tables.book_deltas, tables.snapshots, tables.book_checkpoints)),
        (retention.trades_days, (tables.trades,)),
        (retention.other_days, _OTHER),
    ):
        if kept_days is not None:
            await _drop(database, old, now - kept_days * _DAY_MS)
    if retention.other_days is not None:
        await _forget_health(database, now - retention.other_days * _DAY_MS)


async def _drop(database: Database, old: tuple[Table, ...], before_ms: int) -> None:
    for table in old:
        await database.drop_before(table, before_ms)


async def _forget_health(database: Database, before_ms: int) -> None:
    """Delete what agents said of themselves, and latencies, from before a moment."""
    moment = sa.literal(before_ms, sa.BigInteger())
    for table in (tables.agent_states, tables.latencies):
        async with database.writing() as writer:
            await writer.execute(sa.delete(table).where(table.c.at_ms < moment))
