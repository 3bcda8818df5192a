"""Market data as it travelled: the stored messages of a tenant's streams of markets, minute by minute.

Of candles the database holds how each ended; it is a message at the end of the candle's interval.
"""

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.actions import BALANCE, CANDLES, MARKET_ACTIONS
from millrace_core.clock import MINUTE_MS
from millrace_core.continuity import Gap
from millrace_core.decimals import number
from millrace_core.ids import MessageId
from millrace_core.market import Trade, TradesDelta
from millrace_core.market_terms import terms_of
from millrace_core.messages import Status, encode
from millrace_store.backends.database import Database, Reader
from millrace_store.backends.sql import Row
from millrace_store.exports.candles import CandleSeries, closed_between, history_before, series_of
from millrace_store.exports.stored_message import StoredMessage
from millrace_store.queries.listings import StreamRow, streams_of
from millrace_store.queries.pages import Scope
from millrace_store.schema import tables
from millrace_store.schema.tables import Table

_BIG: Final = sa.BigInteger()
_TEXTS: Final = (tables.tickers, tables.events, tables.book_deltas)
"""Tables that hold the data of each message as it was published."""
_SPANNING: Final = (tables.book_deltas, tables.trades, tables.snapshots, tables.tickers, tables.events)
_ACTIONS: Final = (*MARKET_ACTIONS, BALANCE.name)
"""Of balances only the snapshots: what an account held when it was first seen."""


class StoredMessages:
    """The messages of a scope, in the order of their times; those of one stream in the order of their ids."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope if scope.actions is not None else scope._replace(actions=_ACTIONS)

    async def minutes(self) -> AsyncIterator[list[StoredMessage]]:
        """Return the messages minute by minute; only one minute is in memory. Minutes without messages are left out.

        The candles that had ended before the first minute come with it, 500 of each timeframe at most.
        """
        async with self._database.reading() as reader:
            deltas = await streams_of(reader, self._scope)
            snapshots = await streams_of(reader, self._scope, kind="snapshots")
            candles = await series_of(reader, [stream for stream in deltas if stream.action == CANDLES.name])
            window = _Window(reader, deltas, snapshots, candles)
            first, last = await _span(window, self._scope)
            found = await history_before(reader, candles, first)
        at_ms = first - first % MINUTE_MS
        while at_ms < last:
            async with self._database.reading() as reader:
                window = window._replace(reader=reader)
                found += await _messages(window, max(at_ms, first), min(at_ms + MINUTE_MS, last))
                at_ms += MINUTE_MS
                if not found:
                    # Nothing may follow for days.
                    following = await _first_from(window, at_ms)
                    at_ms = last if following is None else following - following % MINUTE_MS
            if found:
                yield found
            found = []

    async def gaps(self) -> list[Gap]:
        """Return the messages of the streams that dbsync found missing, by stream and in the order of their ids."""
        async with self._database.reading() as reader:
            names = {stream.id: stream.name for stream in await streams_of(reader, self._scope)}
            table = tables.gaps.c
            wanted = sa.select(table.stream_id, table.epoch, table.first_seq, table.last_seq, table.reason)
            rows = await reader.fetch(
                wanted.where(table.stream_id.in_(list(names))).order_by(table.stream_id, table.epoch, table.first_seq)
            )
        return [Gap(names[stream], *gap) for stream, *gap in rows]


class _Window(NamedTuple):
    """The view of the database, and what is read in it."""

    reader: Reader
    deltas: Sequence[StreamRow]
    snapshots: Sequence[StreamRow]
    candles: Sequence[CandleSeries]


async def _span(window: _Window, scope: Scope) -> tuple[int, int]:
    """Return when the first message was published, and 1 ms after the last; candles count where nothing else is."""
    lows, highs = [], []
    for table in _SPANNING:
        column = table.c.at_ms
        mine = sa.select(sa.func.min(column), sa.func.max(column)).where(_of(table, window))
        low, high = (await window.reader.fetch(mine))[0]
        lows += [] if low is None else [int(low)]
        highs += [] if high is None else [int(high) + 1]
    first, last = (min(lows), max(highs)) if lows else await _span_of_candles(window)
    since, until = scope.since_ms, scope.until_ms
    return (first if since is None else max(first, since)), (last if until is None else min(last, until))


async def _span_of_candles(window: _Window) -> tuple[int, int]:
    spans = [await each.span(window.reader) for each in window.candles]
    return min((low for low, _ in spans), default=0), max((high + 1 for _, high in spans), default=0)


async def _first_from(window: _Window, at_ms: int) -> int | None:
    """Return when the first message from a moment on was published; None if there is none."""
    found = [await each.first_from(window.reader, at_ms) for each in window.candles]
    for table in _SPANNING:
        column = table.c.at_ms
        later = sa.select(sa.func.min(column)).where(_of(table, window), column >= sa.literal(at_ms, _BIG))
        found.append((await window.reader.fetch(later))[0][0])
    return min((int(each) for each in found if each is not None), default=None)


async def _messages(window: _Window, since_ms: int, until_ms: int) -> list[StoredMessage]:
    deltas, snapshots = window.deltas, window.snapshots
    found: list[StoredMessage] = []
    names = {stream.id: stream for stream in (*deltas, *snapshots)}

    async def rows(table: Table, streams: Sequence[StreamRow], *columns: str) -> Sequence[Row]:
        return await window.reader.fetch(_between(table, streams, since_ms, until_ms, columns))

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
    found += await closed_between(window.reader, window.candles, since_ms, until_ms)
    return sorted(found, key=lambda each: (each.at_ms, each.kind != "snapshot", each.name, each.id))


def _trades(rows: Sequence[Row], names: dict[int, StreamRow]) -> list[StoredMessage]:
    """Return the messages of rows of trades; a message has the time of its last trade."""
    found = []
    for (stream, epoch, seq), group in groupby(sorted(rows, key=_message_of), key=lambda row: (row[0], row[2], row[3])):
        ordered = list(group)
        symbol = names[stream].symbol or ""
        trades = [
            Trade(trade_id, at_ms, symbol, side, number(str(price)), number(str(amount)))
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
        _in(table, streams), at_ms >= sa.literal(since_ms, _BIG), at_ms < sa.literal(until_ms, _BIG)
    )


def _of(table: Table, window: _Window) -> sa.ColumnElement[bool]:
    return _in(table, [*window.deltas, *window.snapshots])


def _in(table: Table, streams: Sequence[StreamRow]) -> sa.ColumnElement[bool]:
    return table.c.stream_id.in_([stream.id for stream in streams])
