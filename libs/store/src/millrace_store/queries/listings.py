"""Pages of the rows of messages: by time over one stream or many, by key and never by offset."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store.backends.database import Database, Reader
from millrace_store.backends.sql import Row
from millrace_store.queries.pages import Key, Page, RowT, Scope, beyond, bounded, decode_cursor, encode_cursor, within
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.schema.tables import Table
from millrace_store.writing.rows import unsigned

_STREAMS_A_STATEMENT: Final = 100


class StreamRow(NamedTuple):
    """A row of `streams`, as queries need it."""

    id: int
    name: str
    exchange: str
    action: str
    symbol: str | None


class FoundRow(NamedTuple):
    """A row and its stream."""

    stream: StreamRow
    row: Row
    """stream_id, at_ms, epoch, seq, n (0 where a message has one row), and then the wanted columns."""

    @property
    def at_ms(self) -> int:
        """The time of the row, ms."""
        return int(self.row[1])

    @property
    def message_id(self) -> str:
        """The id of its message; of a dead letter perhaps one that no message has."""
        return f"{unsigned(self.row[2])}-{unsigned(self.row[3])}"

    @property
    def values(self) -> Row:
        """The wanted columns."""
        return self.row[5:]


class Listing(NamedTuple):
    """Which rows of a table are wanted, and in which order."""

    table: Table
    columns: tuple[str, ...]
    limit: int
    cursor: str | None = None
    descending: bool = False
    where: tuple[sa.ColumnElement[bool], ...] = ()


async def streams_of(reader: Reader, scope: Scope, *actions: str, kind: str = "deltas") -> list[StreamRow]:
    """Return a tenant's streams of these actions (of all actions if there are none) that are in the scope.

    Some of them may have no rows.
    """
    if actions and kind == "deltas" and scope.exchange is not None and scope.symbol is not None:
        # Their names are known, and so are their ids: the database need not be asked.
        wanted = [action for action in actions if scope.actions is None or action in scope.actions]
        return [_named(scope.tenant, scope.exchange, action, scope.symbol) for action in wanted]
    table = tables.streams.c
    found = sa.select(table.id, table.name, table.exchange, table.action, table.symbol).where(
        table.face == kind, *of_streams(scope)
    )
    if actions:
        found = found.where(table.action.in_(actions))
    return [StreamRow(*row) for row in await reader.fetch(found.order_by(table.id))]


def of_streams(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that select a scope's rows of `streams`."""
    table = tables.streams.c
    conditions = [table.tenant == scope.tenant]
    if scope.exchange is not None:
        conditions.append(table.exchange == scope.exchange)
    if scope.symbol is not None:
        conditions.append(table.symbol == scope.symbol)
    if scope.actions is not None:
        conditions.append(table.action.in_(scope.actions))
    return conditions


async def answers_of(reader: Reader, scope: Scope) -> list[StreamRow]:
    """Return the tenant's streams of answers, including those to requests of an unknown action."""
    streams = await streams_of(reader, scope)
    return [stream for stream in streams if StreamName.parse(stream.name).has_answers]


def _named(of: Tenant, exchange: ExchangeId, action: str, symbol: Symbol) -> StreamRow:
    name = str(StreamName(of, exchange, Action(action), symbol))
    return StreamRow(stream_id(name), name, exchange, action, symbol)


async def page_of(
    database: Database,
    scope: Scope,
    actions: Sequence[str],
    listing: Listing,
    make: Callable[[FoundRow], RowT],
    *,
    kind: str = "deltas",
) -> Page[RowT]:
    """Return one page of a table as records.

    Raises:
        BadCursor: the cursor is not from such a page.
    """
    async with database.reading() as reader:
        streams = await streams_of(reader, scope, *actions, kind=kind)
        found, cursor = await page_rows(reader, scope, streams, listing)
    return Page([make(one) for one in found], cursor)


async def page_rows(
    reader: Reader, scope: Scope, streams: Sequence[StreamRow], listing: Listing
) -> tuple[list[FoundRow], str | None]:
    """Return one page of rows by time, stream and message, and the cursor to the next page."""
    listing = listing._replace(limit=bounded(listing.limit))
    after = decode_cursor(listing.cursor, (int,) * 5) if listing.cursor is not None else None
    by_id = {stream.id: stream for stream in streams}
    rows: list[Row] = []
    for at in range(0, len(streams), _STREAMS_A_STATEMENT):
        part = [_one_stream(stream, scope, listing, after) for stream in streams[at : at + _STREAMS_A_STATEMENT]]
        rows += await reader.fetch(part[0] if len(part) == 1 else _together(part, listing))
    if len(streams) > 1:
        rows.sort(key=_key, reverse=listing.descending)
    page = [FoundRow(by_id[row[0]], row) for row in rows[: listing.limit]]
    return page, encode_cursor(_key(page[-1].row)) if len(rows) > listing.limit else None


async def newest_rows(reader: Reader, scope: Scope, streams: Sequence[StreamRow], listing: Listing) -> list[FoundRow]:
    """Return the newest row of each stream that has one."""
    by_id = {stream.id: stream for stream in streams}
    newest = listing._replace(limit=0, descending=True)
    rows: list[Row] = []
    for at in range(0, len(streams), _STREAMS_A_STATEMENT):
        part = [_one_stream(stream, scope, newest, None) for stream in streams[at : at + _STREAMS_A_STATEMENT]]
        rows += await reader.fetch(sa.union_all(*(sa.select(each.subquery()) for each in part)))
    return [FoundRow(by_id[row[0]], row) for row in rows]


def _key(row: Row) -> Key:
    return (row[1], row[0], row[2], row[3], row[4])


def _one_stream(stream: StreamRow, scope: Scope, listing: Listing, after: Key | None) -> sa.Select[Any]:
    table, descending = listing.table.c, listing.descending
    order = [table[name] for name in ("at_ms", "epoch", "seq", *(["n"] if "n" in table else []))]
    n = table.n if "n" in table else sa.literal_column("0").label("n")
    if after is not None:
        # One bound on each side: with two a planner may use the looser one and read everything from the start again.
        scope = scope._replace(until_ms=None) if descending else scope._replace(since_ms=None)
    wanted = (
        sa.select(table.stream_id, table.at_ms, table.epoch, table.seq, n, *(table[name] for name in listing.columns))
        .where(table.stream_id == sa.literal(stream.id, sa.BigInteger()), *within(scope, table.at_ms), *listing.where)
        .order_by(*(column.desc() if descending else column for column in order))
        .limit(listing.limit + 1)
    )
    return wanted if after is None else wanted.where(_after(stream.id, order, after, descending=descending))


def _after(stream: int, order: list[sa.ColumnClause[Any]], after: Key, *, descending: bool) -> sa.ColumnElement[bool]:
    """Return the condition that rows of a stream come after a row of any stream; equal times go by stream id."""
    at_ms, last_stream, *message = after
    if stream == last_stream:
        return beyond(order, (at_ms, *message)[: len(order)], descending=descending)
    at, moment = order[0], sa.literal(at_ms, order[0].type)
    if descending:
        return at <= moment if stream < int(last_stream) else at < moment
    return at >= moment if stream > int(last_stream) else at > moment


def _together(parts: Sequence[sa.Select[Any]], listing: Listing) -> sa.Select[Any]:
    """Let the database merge many streams' pages into one."""
    union = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    order = [union.c[name] for name in ("at_ms", "stream_id", "epoch", "seq", "n")]
    ordered = (column.desc() if listing.descending else column for column in order)
    return sa.select(union).order_by(*ordered).limit(listing.limit + 1)
