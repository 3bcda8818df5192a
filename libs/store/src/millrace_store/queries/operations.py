"""Queries of operations: positions, gaps, latencies, agents, configurations, dead letters."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.names import AgentId
from millrace_store.backends.database import Database
from millrace_store.backends.sql import Row
from millrace_store.errors import RangeTooLarge
from millrace_store.queries.listings import Listing, of_streams, page_rows, streams_of
from millrace_store.queries.pages import DEFAULT_LIMIT, Page, Scope, newest, within
from millrace_store.queries.records import (
    AgentRecord,
    ConfigRecord,
    DeadLetter,
    EpochRecord,
    GapRecord,
    LatencyRecord,
    StreamRecord,
)
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id

_MAX_LATENCIES: Final = 200_000
_STREAM_KINDS = ("deltas", "snapshots", "requests")


class OperationsQueries:
    """Queries of stored positions, losses, latencies and agents' reports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def positions(self) -> dict[str, MessageId]:
        """Return the position up to which each journal is stored, by Redis name; journals without one are left out."""
        table = tables.streams.c
        async with self._database.reading() as reader:
            rows = await reader.fetch(sa.select(table.name, table.position_epoch, table.position_seq))
        return {name: MessageId(epoch, seq) for name, epoch, seq in rows if (epoch, seq) != (0, 0)}

    async def streams(self, scope: Scope) -> list[StreamRecord]:
        """Return how far a tenant's journals are stored, and how many messages."""
        table = tables.streams.c
        wanted = sa.select(table.name, table.position_epoch, table.position_seq, table.updated_ms, table.messages)
        wanted = wanted.where(*of_streams(scope)).order_by(table.name)
        async with self._database.reading() as reader:
            rows = await reader.fetch(wanted)
        return [
            StreamRecord(stream=name, position=f"{epoch}-{seq}", updated_ms=updated, messages=messages)
            for name, epoch, seq, updated, messages in rows
        ]

    async def epochs(self, name: str) -> list[EpochRecord]:
        """Return what is stored of each epoch of one journal, so that its messages can be counted one for one."""
        table = tables.stream_epochs.c
        wanted = (
            sa.select(table.epoch, table.first_seq, table.last_seq, table.messages)
            .where(table.stream_id == sa.literal(stream_id(name), sa.BigInteger()))
            .order_by(table.epoch)
        )
        async with self._database.reading() as reader:
            rows = await reader.fetch(wanted)
        return [
            EpochRecord(epoch=epoch, first_seq=first, last_seq=last, messages=messages)
            for epoch, first, last, messages in rows
        ]

    async def gaps(self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[GapRecord]:
        """Return the gaps, newest first.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table, streams = tables.gaps.c, tables.streams.c
        columns = (table.epoch, table.first_seq, table.last_seq, table.missing, table.found_ms, table.reason)
        wanted = (
            sa.select(streams.name, table.stream_id, *columns)
            .join_from(tables.gaps, tables.streams, table.stream_id == streams.id)
            .where(*of_streams(scope), *within(scope, table.found_ms))
        )
        key = [table.found_ms, table.stream_id, table.epoch, table.first_seq]
        rows, after = await newest(
            self._database, wanted, key, (int,) * 4, limit, cursor, lambda row: (row[6], *row[1:4])
        )
        fields = GapRecord.__struct_fields__
        return Page([GapRecord(**dict(zip(fields, (row[0], *row[2:]), strict=True))) for row in rows], after)

    async def latencies(self, scope: Scope, *, interval_ms: int = 60_000) -> list[LatencyRecord]:
        """Return percentiles by stream, hop and interval, oldest first; intervals are whole minutes.

        Raises:
            RangeTooLarge: it would be made of too many rows.
        """
        table = tables.latencies.c
        interval_ms = max(60_000, interval_ms - interval_ms % 60_000)
        async with self._database.reading() as reader:
            streams = {stream.id: stream.name for stream in await streams_of(reader, scope)}
            wanted = (
                sa.select(table.stream_id, table.hop, table.at_ms, table.buckets)
                .where(table.stream_id.in_(streams), *within(scope, table.at_ms))
                .order_by(table.at_ms)
                .limit(_MAX_LATENCIES + 1)
            )
            rows = await reader.fetch(wanted) if streams else []
        if len(rows) > _MAX_LATENCIES:
            raise RangeTooLarge(_MAX_LATENCIES)
        return _percentiles(rows, streams, interval_ms)

    async def agents(self) -> list[AgentRecord]:
        """Return the newest state of each agent."""
        table = tables.agent_states.c
        last = sa.select(table.agent_id, sa.func.max(table.at_ms).label("at_ms")).group_by(table.agent_id).subquery()
        wanted = (
            sa.select(table.agent_id, table.at_ms, table.kind, table.state, table.data)
            .join_from(tables.agent_states, last, (table.agent_id == last.c.agent_id) & (table.at_ms == last.c.at_ms))
            .order_by(table.agent_id)
        )
        async with self._database.reading() as reader:
            return [_agent(row) for row in await reader.fetch(wanted)]

    async def agent_history(
        self, agent: AgentId, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[AgentRecord]:
        """Return the states of an agent, newest first.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table = tables.agent_states.c
        wanted = sa.select(table.agent_id, table.at_ms, table.kind, table.state, table.data)
        wanted = wanted.where(table.agent_id == agent)
        rows, after = await newest(self._database, wanted, [table.at_ms], (int,), limit, cursor, lambda row: (row[1],))
        return Page([_agent(row) for row in rows], after)

    async def configs(
        self, agent: AgentId, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[ConfigRecord]:
        """Return an agent's configurations, newest first.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table = tables.configs.c
        wanted = sa.select(table.agent_id, table.at_ms, table.revision, table.data, table.author)
        key = [table.at_ms, table.revision]
        rows, after = await newest(
            self._database,
            wanted.where(table.agent_id == agent),
            key,
            (int, str),
            limit,
            cursor,
            lambda row: (row[1], row[2]),
        )
        fields = ConfigRecord.__struct_fields__
        return Page([ConfigRecord(**dict(zip(fields, row, strict=True))) for row in rows], after)

    async def dead_letters(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[DeadLetter]:
        """Return messages that could not be understood, newest first.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        listing = Listing(tables.dead_letters, ("reason", "raw"), limit, cursor, descending=True)
        async with self._database.reading() as reader:
            streams = [stream for kind in _STREAM_KINDS for stream in await streams_of(reader, scope, kind=kind)]
            found, after = await page_rows(reader, scope, streams, listing)
        letters = [
            DeadLetter(
                stream=one.stream.name,
                message_id=one.message_id,
                at_ms=one.at_ms,
                reason=one.values[0],
                raw=bytes(one.values[1]),
            )
            for one in found
        ]
        return Page(letters, after)


def _agent(row: Row) -> AgentRecord:
    agent_id, at_ms, kind, state, data = row
    return AgentRecord(agent_id=agent_id, at_ms=at_ms, kind=kind, state=state, heartbeat=msgspec.json.decode(data))


def _percentiles(rows: Sequence[Row], streams: Mapping[int, str], interval_ms: int) -> list[LatencyRecord]:
    totals: dict[tuple[int, str, str], Histogram] = {}
    for stream, hop, at_ms, buckets in rows:
        key = (at_ms - at_ms % interval_ms, streams[stream], hop)
        counted = Histogram.of_buckets({int(bucket): count for bucket, count in json.loads(buckets).items()})
        totals[key] = counted.merge([totals[key]]) if key in totals else counted
    return [_latency(*key, totals[key]) for key in sorted(totals)]


def _latency(at_ms: int, stream: str, hop: str, histogram: Histogram) -> LatencyRecord:
    p50, p90, p99 = (histogram.percentile(percent) for percent in (50, 90, 99))
    return LatencyRecord(stream=stream, hop=hop, at_ms=at_ms, count=histogram.count, p50=p50, p90=p90, p99=p99)
