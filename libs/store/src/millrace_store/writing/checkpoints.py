"""Whole books of our own between the gatherer's snapshots, wherever those are too far apart for quick answers."""

from typing import Any, Final

import sqlalchemy as sa

from millrace_core.ids import MessageId
from millrace_core.names import StreamName
from millrace_store.backends.columns import Columns
from millrace_store.backends.database import Database, Reader
from millrace_store.errors import BookUnknown
from millrace_store.queries.books import After, base_of, following
from millrace_store.queries.replay import Base, Delta, Rebuilt
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id

EVERY: Final = 500
"""Messages between two whole books: to apply so many takes about 5 ms."""
_STEPS_A_CALL: Final = 100
"""Per stream, so that one far behind does not keep the others waiting."""
_BIG = sa.BigInteger()


async def extend(database: Database) -> int:
    """Write the checkpoints that books lack up to now, some of each stream at a call; give how many were written."""
    table = tables.streams.c
    wanted = sa.select(table.name).where(table.action == "watchOrderBook", table.face == "deltas")
    async with database.reading() as reader:
        names = await reader.fetch(wanted)
    return sum([await _extend(database, StreamName.parse(name)) for (name,) in names])


async def _extend(database: Database, name: StreamName) -> int:
    """Go on from the last whole book: to the farthest snapshot that is near enough, else by a checkpoint of ours."""
    written = 0
    async with database.reading() as reader:
        here = await _start(reader, name)
    for _ in range(_STEPS_A_CALL):
        if here is None:
            break
        async with database.reading() as reader:
            near = await _snapshot(reader, name, here, within=EVERY)
            made = None if near is not None else await _roll(reader, name, here)
            ahead = near if near is not None or made is not None else await _snapshot(reader, name, here)
        if made is not None:
            await _keep(database, name, made)
            written += 1
        here = made.last if made is not None else ahead
        if here is not None:
            await _remember(database, name, here)
    return written


async def _roll(reader: Reader, name: StreamName, here: MessageId) -> Rebuilt | None:
    """Return the book `EVERY` messages further; None where there are not so many, or one is missing or wrong."""
    base = await base_of(reader, name, After(here))
    if base is None or base.as_of != here:
        return None
    try:
        book = Rebuilt(base)
        wanted: list[Delta] = []
        async for deltas in following(reader, stream_id(str(name)), here, base.at_ms):
            wanted += deltas
            if len(wanted) >= EVERY:
                break
        if len(wanted) < EVERY:
            return None
        book.apply(wanted[:EVERY])
        return book.proved()
    except BookUnknown:
        return None


async def _start(reader: Reader, name: StreamName) -> MessageId | None:
    table = tables.checkpoint_progress.c
    mine = table.stream_id == sa.literal(stream_id(str(name)), _BIG)
    if rows := await reader.fetch(sa.select(table.epoch, table.seq).where(mine)):
        return MessageId(*rows[0])
    return await _snapshot(reader, name, MessageId(0, 0))


async def _snapshot(reader: Reader, name: StreamName, after: MessageId, within: int | None = None) -> MessageId | None:
    """Return the next of the gatherer's snapshots; with `within`, the farthest that is not more messages away."""
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


async def _keep(database: Database, name: StreamName, book: Rebuilt) -> None:
    base: Base = book.as_base()
    row: tuple[Any, ...] = (stream_id(str(name)), base.at_ms, *base.as_of, base.nonce, int(base.checked), base.data)
    await database.prepare(tables.book_checkpoints, [base.at_ms])
    async with database.writing(careful=True) as writer:
        await writer.insert(tables.book_checkpoints, Columns.of([row]))


async def _remember(database: Database, name: StreamName, here: MessageId) -> None:
    async with database.writing() as writer:
        await writer.replace(tables.checkpoint_progress, [(stream_id(str(name)), *here)])
