"""Maintenance: keeps queries quick and the disk bounded.

Candles of finished minutes, checkpoints of order books where the gatherer's snapshots are far apart, values of fees and
of accounts, partitions of the coming days, and the retention.
"""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from millrace_core.clock import DAY_MS, now_ms
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.names import StreamName, Tenant
from millrace_store.backends.columns import Columns
from millrace_store.backends.database import Database, Reader
from millrace_store.errors import BookUnknown
from millrace_store.portfolio.equity import sample_equity
from millrace_store.portfolio.revaluation import revalue
from millrace_store.queries import candles
from millrace_store.queries.books import After, Base, Delta, Rebuilt, base_of, following
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.schema.tables import Table
from millrace_store.writing.retention import Retention, drop_old

_DAYS_AHEAD: Final = 2
_LARGE: Final[tuple[Table, ...]] = (
    *(tables.book_deltas, tables.snapshots, tables.book_checkpoints),
    *(tables.statuses, tables.trades, tables.tickers),
)


async def maintain(database: Database, retention: Retention, currencies: Mapping[Tenant, str]) -> None:
    """See `Store.maintain`."""
    now = now_ms()
    coming = [now + days * DAY_MS for days in range(_DAYS_AHEAD + 1)]
    for table in _LARGE:
        await database.prepare(table, coming)
    await candles.rebuild_stale(database)
    await extend_checkpoints(database)
    await revalue(database)
    await sample_equity(database, currencies)
    await drop_old(database, retention, now)


CHECKPOINT_EVERY: Final = 500
"""Messages between two whole books; applying so many takes about 5 ms."""
_STEPS_A_CALL: Final = 100
"""Of each stream, so that one that is far behind does not delay the others."""
_BIG = sa.BigInteger()


async def extend_checkpoints(database: Database) -> int:
    """Write the checkpoints that order books lack, some of each stream a call; return how many were written."""
    table = tables.streams.c
    wanted = sa.select(table.name).where(table.action == "watchOrderBook", table.face == "deltas")
    async with database.reading() as reader:
        names = await reader.fetch(wanted)
    return sum([await _extend_stream(database, StreamName.parse(name)) for (name,) in names])


async def _extend_stream(database: Database, name: StreamName) -> int:
    """Continue from the last whole book: to the farthest snapshot within reach, else by a checkpoint."""
    written = 0
    async with database.reading() as reader:
        here = await _progress(reader, name)
    for _ in range(_STEPS_A_CALL):
        if here is None:
            break
        async with database.reading() as reader:
            near = await _next_snapshot(reader, name, here, within=CHECKPOINT_EVERY)
            made = None if near is not None else await _book_further(reader, name, here)
            ahead = near if near is not None or made is not None else await _next_snapshot(reader, name, here)
        if made is not None:
            await _store_checkpoint(database, name, made)
            written += 1
        here = made.last if made is not None else ahead
        if here is not None:
            await _store_progress(database, name, here)
    return written


async def _book_further(reader: Reader, name: StreamName, here: MessageId) -> Rebuilt | None:
    """Return the book `CHECKPOINT_EVERY` messages further; None when one of them is missing or wrong."""
    base = await base_of(reader, name, After(here))
    if base is None or base.as_of != here:
        return None
    try:
        book = Rebuilt(base)
        wanted: list[Delta] = []
        async for deltas in following(reader, stream_id(str(name)), here, base.at_ms):
            wanted += deltas
            if len(wanted) >= CHECKPOINT_EVERY:
                break
        if len(wanted) < CHECKPOINT_EVERY:
            return None
        book.apply(wanted[:CHECKPOINT_EVERY])
        return book.proved()
    except BookUnknown:
        return None


async def _progress(reader: Reader, name: StreamName) -> MessageId | None:
    table = tables.checkpoint_progress.c
    mine = table.stream_id == sa.literal(stream_id(str(name)), _BIG)
    if rows := await reader.fetch(sa.select(table.epoch, table.seq).where(mine)):
        return MessageId(*rows[0])
    return await _next_snapshot(reader, name, BEGINNING)


async def _next_snapshot(
    reader: Reader, name: StreamName, after: MessageId, within: int | None = None
) -> MessageId | None:
    """Return the gatherer's next snapshot, or with `within` its farthest one that is at most so many messages away."""
    table = tables.snapshots.c
    epoch, seq = sa.literal(after.epoch, _BIG), sa.literal(after.seq, _BIG)
    wanted = sa.select(table.as_of_epoch, table.as_of_seq).where(
        table.stream_id == sa.literal(stream_id(name.snapshot), _BIG)
    )
    if within is None:
        wanted = wanted.where(sa.tuple_(table.as_of_epoch, table.as_of_seq) > sa.tuple_(epoch, seq))
        wanted = wanted.order_by(table.as_of_epoch, table.as_of_seq)
    else:
        farthest = sa.literal(after.seq + within, _BIG)
        wanted = wanted.where(table.as_of_epoch == epoch, table.as_of_seq > seq, table.as_of_seq <= farthest)
        wanted = wanted.order_by(table.as_of_seq.desc())
    rows = await reader.fetch(wanted.limit(1))
    return MessageId(*rows[0]) if rows else None


async def _store_checkpoint(database: Database, name: StreamName, book: Rebuilt) -> None:
    base: Base = book.as_base()
    row: tuple[Any, ...] = (stream_id(str(name)), base.at_ms, *base.as_of, base.nonce, int(base.checked), base.data)
    await database.prepare(tables.book_checkpoints, [base.at_ms])
    async with database.writing(careful=True) as writer:
        await writer.insert(tables.book_checkpoints, Columns.of([row]))


async def _store_progress(database: Database, name: StreamName, here: MessageId) -> None:
    async with database.writing() as writer:
        await writer.replace(tables.checkpoint_progress, [(stream_id(str(name)), *here)])
