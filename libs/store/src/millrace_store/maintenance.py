"""What keeps queries quick and the disk bounded."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import now_ms
from millrace_store import candles, checkpoints, schema
from millrace_store.database import Database
from millrace_store.schema import Table

_DAY_MS: Final = 86_400_000
_DAYS_AHEAD: Final = 2
_LARGE: Final[tuple[Table, ...]] = (
    *(schema.book_deltas, schema.snapshots, schema.book_checkpoints),
    *(schema.statuses, schema.trades, schema.tickers),
)
_OTHER: Final[tuple[Table, ...]] = (
    *(schema.statuses, schema.tickers, schema.events, schema.requests, schema.responses, schema.failed_executions),
    *(schema.order_events, schema.own_trades, schema.balances, schema.dead_letters),
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
    for kept_days, tables in (
        (retention.book_days, (schema.book_deltas, schema.snapshots, schema.book_checkpoints)),
        (retention.trades_days, (schema.trades,)),
        (retention.other_days, _OTHER),
    ):
        if kept_days is not None:
            await _drop(database, tables, now - kept_days * _DAY_MS)
    if retention.other_days is not None:
        await _forget_health(database, now - retention.other_days * _DAY_MS)


async def _drop(database: Database, tables: tuple[Table, ...], before_ms: int) -> None:
    for table in tables:
        await database.drop_before(table, before_ms)


async def _forget_health(database: Database, before_ms: int) -> None:
    """Delete what agents said of themselves, and latencies, from before a moment."""
    moment = sa.literal(before_ms, sa.BigInteger())
    for table in (schema.agent_states, schema.latencies):
        async with database.writing() as writer:
            await writer.execute(sa.delete(table).where(table.c.at_ms < moment))
