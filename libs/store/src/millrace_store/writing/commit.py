"""The commit of a batch: exactly the messages that are new, in one transaction.

Which messages are new is decided while the streams' rows are locked, so two writers of one stream take turns.
"""

import json
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import now_ms
from millrace_core.ids import BEGINNING, MessageId
from millrace_store.backends.columns import Columns
from millrace_store.backends.database import Database, Writer
from millrace_store.backends.sql import matching
from millrace_store.errors import AlreadyThere
from millrace_store.portfolio.counting import changes, recount
from millrace_store.schema import tables
from millrace_store.schema.streams import parts_of, stream_id
from millrace_store.writing.batch import Batch
from millrace_store.writing.orders import join_orders, lock_accounts
from millrace_store.writing.written import HighWaterMarks, begun_epochs, observations_above, rows_above


class StoredSoFar(NamedTuple):
    """How far a stream is stored before this batch."""

    position: MessageId
    messages: int


async def commit(database: Database, batch: Batch) -> None:
    """Write a batch in one transaction.

    Raises:
        DatabaseUnavailable: the batch may be committed again whole.
    """
    skipped = batch.duplicates
    try:
        await _commit(database, batch, careful=False)
    except AlreadyThere:
        # The tables have rows above the positions: one was restored without the other.
        batch.duplicates = skipped
        await _commit(database, batch, careful=True)


async def _commit(database: Database, batch: Batch, *, careful: bool) -> None:
    added = batch.all_rows()
    for table, rows in added.items():
        if rows:
            await database.prepare(table, rows.lists[1])
    async with database.writing(careful=careful) as writer:
        stored = await _lock(writer, database, batch)
        overlapping = {
            stream_id(name): stored[name].position
            for name, written in batch.written.items()
            if not written.is_above(stored[name].position)
        }
        begun = overlapping | begun_epochs({name: before.position for name, before in stored.items()})
        for table, rows in added.items():
            if new := rows_above(begun if table is tables.balances else overlapping, rows):
                # Bytes have no plain form in a bulk copy, and dead letters are few.
                if table is tables.dead_letters:
                    await writer.insert_missing(table, list(new))
                else:
                    await writer.insert(table, new)
        await _merge(writer, database, batch, overlapping, begun)
        own_trades = added.get(tables.own_trades, Columns.empty(len(tables.own_trades.columns)))
        await _count_trades(writer, database, batch, rows_above(overlapping, own_trades), begun)
        await _advance(writer, database, batch, stored)


async def _lock(writer: Writer, database: Database, batch: Batch) -> dict[str, StoredSoFar]:
    """Lock the rows of the batch's streams, always in the same order, so that two writers never deadlock."""
    names = sorted(batch.written, key=stream_id)
    if not names:
        return {}
    fresh = [(stream_id(name), name, *parts_of(name), 0, 0, 0, now_ms()) for name in names]
    columns = ("name", "position_epoch", "position_seq", "messages")
    wanted = {"id": [stream_id(name) for name in names]}
    known = matching(tables.streams, columns, wanted, database.dialect, lock=True)
    found = await writer.fetch(known)
    if len(found) < len(names):
        await writer.insert_missing(tables.streams, fresh)
        found = await writer.fetch(known)
    return {name: StoredSoFar(MessageId(epoch, seq), messages) for name, epoch, seq, messages in found}


async def _merge(
    writer: Writer,
    database: Database,
    batch: Batch,
    overlapping: HighWaterMarks,
    begun: HighWaterMarks,
) -> None:
    """Write the rows that are merged with existing ones."""
    candles = [row for row in batch.candle_rows.values() if (row[3], row[4]) > overlapping.get(row[0], BEGINNING)]
    if candles:
        await writer.replace(tables.candles, candles)
    if batch.minutes:
        # A new mark: a minute that is being built from its trades just now must be built again.
        mark = secrets.randbits(62)
        await writer.replace(tables.stale_minutes, [(stream, at, mark) for stream, at in sorted(batch.minutes)])
    if batch.stray_rows:
        await _add_strays(writer, database, batch.stray_rows)
    if batch.gap_rows:
        await writer.insert_missing(tables.gaps, batch.gap_rows)
    if batch.agent_rows:
        await writer.insert_missing(tables.agent_states, batch.agent_rows)
    if batch.config_rows:
        await _add_configs(writer, batch.config_rows)
    await _add_latencies(writer, database, batch, overlapping)


async def _count_trades(
    writer: Writer, database: Database, batch: Batch, own_trades: Columns, begun: HighWaterMarks
) -> None:
    """Join the orders, and count the own trades that are new or whose order's source became known."""
    observations = observations_above(begun, batch.order_observations)
    if not observations and not own_trades:
        return
    traded = set(own_trades.lists[0])
    traders = {parts_of(name).tenant for name in batch.written if stream_id(name) in traded}
    tenants = {one.tenant for one in observations} | {tenant for tenant in traders if tenant is not None}
    await lock_accounts(writer, database.dialect, tenants)
    attributed = await join_orders(writer, observations)
    for stream, since_ms in (await changes(writer, own_trades, attributed)).items():
        await recount(writer, stream, since_ms)


async def _add_strays(writer: Writer, database: Database, rows: list[tuple[Any, ...]]) -> None:
    """Add the dead letters that are not there yet: no position says that they are, so they are read at each start."""
    table, columns = tables.dead_letters, ("stream_id", "epoch", "seq")
    wanted = {name: {row[place] for row in rows} for name, place in zip(columns, (0, 2, 3), strict=True)}
    known = {tuple(row) for row in await writer.fetch(matching(table, columns, wanted, database.dialect))}
    new = {(row[0], row[2], row[3]): row for row in rows if (row[0], row[2], row[3]) not in known}
    if new:
        await writer.insert_missing(table, list(new.values()))


async def _add_configs(writer: Writer, rows: Iterable[tuple[Any, ...]]) -> None:
    table = tables.configs.c
    for agent, at_ms, revision, *others in rows:
        newest = sa.select(table.revision, table.at_ms).where(table.agent_id == agent).order_by(table.at_ms.desc())
        known, known_ms = next(iter(await writer.fetch(newest.limit(1))), (None, -1))
        if known != revision:
            # What is in force is the newest, also if the clock was set back.
            await writer.insert_missing(tables.configs, [(agent, max(at_ms, known_ms + 1), revision, *others)])


async def _add_latencies(writer: Writer, database: Database, batch: Batch, overlapping: HighWaterMarks) -> None:
    totals: dict[tuple[int, str, int], dict[int, int]] = {}
    for stream, hop, minute_ms, histogram in batch.latencies:
        if stream not in overlapping:
            _count(totals.setdefault((stream, hop, minute_ms), {}), histogram.buckets)
    if not totals:
        return
    columns = ("stream_id", "hop", "at_ms", "buckets")
    wanted = {"stream_id": {key[0] for key in totals}, "at_ms": {key[2] for key in totals}}
    known = matching(tables.latencies, columns, wanted, database.dialect)
    for stream, hop, minute_ms, buckets in await writer.fetch(known):
        if (total := totals.get((stream, hop, minute_ms))) is not None:
            _count(total, {int(bucket): count for bucket, count in json.loads(buckets).items()})
    rows = [(*key, sum(total.values()), json.dumps(total)) for key, total in totals.items()]
    await writer.replace(tables.latencies, rows)


def _count(total: dict[int, int], buckets: Iterable[tuple[int, int]] | dict[int, int]) -> None:
    for bucket, count in dict(buckets).items():
        total[bucket] = total.get(bucket, 0) + count


async def _advance(writer: Writer, database: Database, batch: Batch, stored: dict[str, StoredSoFar]) -> None:
    """Advance the streams' positions and count their messages epoch by epoch."""
    streams, counts = [], []
    for name, written in batch.written.items():
        before = stored[name]
        new = list(written.above(before.position))
        messages = sum(epoch.messages for epoch in new)
        batch.duplicates += written.messages - messages
        reached = max(before.position, written.reaches)
        if reached > before.position:
            so_far = before.messages + messages
            streams.append((stream_id(name), name, *parts_of(name), *reached, so_far, now_ms()))
        counts += [(stream_id(name), *epoch) for epoch in new]
    if streams:
        await writer.replace(tables.streams, streams)
    if counts:
        await writer.replace(tables.stream_epochs, await _with_known(writer, database, counts))


async def _with_known(
    writer: Writer, database: Database, counts: list[tuple[int, int, int, int, int]]
) -> list[tuple[Any, ...]]:
    columns = ("stream_id", "epoch", "first_seq", "messages")
    known = matching(tables.stream_epochs, columns, {"stream_id": {count[0] for count in counts}}, database.dialect)
    before = {(stream, epoch): (first, messages) for stream, epoch, first, messages in await writer.fetch(known)}
    rows: list[tuple[Any, ...]] = []
    for stream, epoch, first, last, messages in counts:
        earlier, so_far = before.get((stream, epoch), (first, 0))
        rows.append((stream, epoch, min(first, earlier), last, messages + so_far))
    return rows
