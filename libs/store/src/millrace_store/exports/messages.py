"""Market data as it travelled: the stored messages of a tenant's streams of markets, minute by minute."""

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS
from millrace_core.ids import MessageId
from millrace_core.market import Trade, TradesDelta
from millrace_core.market_terms import terms_of
from millrace_core.messages import Status, encode
from millrace_store.backends.database import Database, Reader
from millrace_store.backends.sql import Row
from millrace_store.queries.listings import StreamRow, streams_of
from millrace_store.queries.pages import Scope
from millrace_store.schema import tables
from millrace_store.schema.tables import Table

_BIG: Final = sa.BigInteger()
_TEXTS: Final = (tables.tickers, tables.events, tables.book_deltas)
"""Tables that hold the data of each message as it was published."""
_MARKET: Final = ("watchOrderBook", "watchTrades", "watchTicker", "watchBidsAsks", "watchMarkPrice", "watchFundingRate")


class StoredMessage(NamedTuple):
    """One message of a stream as far as it is stored."""

    at_ms: int
    """When it was published, by the gatherer's clock."""
    name: str
    """The name of the stream, or of its snapshots."""
    id: MessageId
    kind: Literal["delta", "snapshot", "status"]
    event_ms: int | None
    """The exchange's own time, of books and tickers."""
    data: bytes


class StoredMessages:
    """The messages of a scope, in the order of their times; those of one stream in the order of their ids."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope if scope.actions is not None else scope._replace(actions=_MARKET)

    async def minutes(self) -> AsyncIterator[list[StoredMessage]]:
        """Return the messages minute by minute; only one minute is in memory."""
        async with self._database.reading() as reader:
            deltas = await streams_of(reader, self._scope)
            snapshots = await streams_of(reader, self._scope, kind="snapshots")
            first, last = await _span(reader, [*deltas, *snapshots], self._scope)
        for since in range(first - first % MINUTE_MS, last, MINUTE_MS):
            async with self._database.reading() as reader:
                yield await _window(reader, deltas, snapshots, max(since, first), min(since + MINUTE_MS, last))


async def _span(reader: Reader, streams: Sequence[StreamRow], scope: Scope) -> tuple[int, int]:
    """Return when the first message was published, and 1 ms after the last."""
    lows, highs = [], []
    for table in (tables.book_deltas, tables.trades, tables.snapshots, tables.tickers, tables.events):
        column = table.c.at_ms
        mine = sa.select(sa.func.min(column), sa.func.max(column)).where(_of(table, streams))
        low, high = (await reader.fetch(mine))[0]
        lows += [] if low is None else [int(low)]
        highs += [] if high is None else [int(high) + 1]
    first, last = min(lows, default=0), max(highs, default=0)
    since, until = scope.since_ms, scope.until_ms
    return (first if since is None else max(first, since)), (last if until is None else min(last, until))


async def _window(
    reader: Reader, deltas: Sequence[StreamRow], snapshots: Sequence[StreamRow], since_ms: int, until_ms: int
) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    names = {stream.id: stream for stream in (*deltas, *snapshots)}

    async def rows(table: Table, streams: Sequence[StreamRow], *columns: str) -> Sequence[Row]:
        return await reader.fetch(_between(table, streams, since_ms, until_ms, columns))

    for table in _TEXTS:
        for stream, at_ms, epoch, seq, event_ms, data in await rows(table, deltas, "event_ms", "data"):
            name, place = names[stream].name, MessageId(epoch, seq)
            found.append(StoredMessage(at_ms, name, place, "delta", event_ms, data.encode()))
    for stream, at_ms, epoch, seq, data in await rows(tables.snapshots, snapshots, "data"):
        name, place = names[stream].name, MessageId(epoch, seq)
        found.append(StoredMessage(at_ms, name, place, "snapshot", None, data.encode()))
    statuses = await rows(tables.statuses, deltas, "status", "reason", "market")
    for stream, at_ms, epoch, seq, status, reason, market in statuses:
        said = encode(Status(status, reason, terms_of(market)).as_text())
        found.append(StoredMessage(at_ms, names[stream].name, MessageId(epoch, seq), "status", None, said))
    found += _trades(await rows(tables.trades, deltas, "n", "trade_id", "side", "price", "amount"), names)
    return sorted(found, key=lambda each: (each.at_ms, each.kind != "snapshot", each.name, each.id))


def _trades(rows: Sequence[Row], names: dict[int, StreamRow]) -> list[StoredMessage]:
    """Return the messages of rows of trades; a message has the time of its last trade."""
    found = []
    for (stream, epoch, seq), group in groupby(sorted(rows, key=_message_of), key=lambda row: (row[0], row[2], row[3])):
        ordered = list(group)
        symbol = names[stream].symbol or ""
        trades = [
            Trade(trade_id, at_ms, symbol, side, float(price), float(amount))
            for _, at_ms, _, _, _, trade_id, side, price, amount in ordered
        ]
        at_ms = max(int(row[1]) for row in ordered)
        data = encode(TradesDelta(trades))
        found.append(StoredMessage(at_ms, names[stream].name, MessageId(epoch, seq), "delta", None, data))
    return found


def _message_of(row: Row) -> tuple[int, ...]:
    return row[0], row[2], row[3], row[4]


def _between(
    table: Table, streams: Sequence[StreamRow], since_ms: int, until_ms: int, columns: Sequence[str]
) -> sa.Select[Any]:
    at_ms = table.c.at_ms
    wanted = [table.c[name] for name in ("stream_id", "at_ms", "epoch", "seq", *columns)]
    return sa.select(*wanted).where(
        _of(table, streams), at_ms >= sa.literal(since_ms, _BIG), at_ms < sa.literal(until_ms, _BIG)
    )


def _of(table: Table, streams: Sequence[StreamRow]) -> sa.ColumnElement[bool]:
    return table.c.stream_id.in_([stream.id for stream in streams])
