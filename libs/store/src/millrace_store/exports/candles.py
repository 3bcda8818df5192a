"""Stored candles as messages at the end of their intervals."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.ids import MessageId
from millrace_core.intervals import interval_ms
from millrace_core.market import Candle, CandlesDelta
from millrace_core.messages import encode
from millrace_core.states import KEPT_CANDLES
from millrace_store.backends.database import Reader
from millrace_store.backends.sql import Row
from millrace_store.exports.stored_message import StoredMessage
from millrace_store.queries.listings import StreamRow
from millrace_store.schema import tables

_BIG: Final = sa.BigInteger()
_TABLE: Any = tables.candles.c
_COLUMNS: Final = [_TABLE[name] for name in ("at_ms", "epoch", "seq", "open", "high", "low", "close", "volume")]


class Interval(NamedTuple):
    """The candles of one stream and timeframe."""

    stream: StreamRow
    timeframe: str
    length_ms: int

    async def span(self, reader: Reader) -> tuple[int, int]:
        """Return when the first and the last candle ended, ms."""
        mine = sa.select(sa.func.min(_TABLE.at_ms), sa.func.max(_TABLE.at_ms)).where(*self._mine)
        low, high = (await reader.fetch(mine))[0]
        return int(low) + self.length_ms, int(high) + self.length_ms

    async def first_from(self, reader: Reader, at_ms: int) -> int | None:
        """Return when the first candle from a moment on ended; None if there is none."""
        later = _TABLE.at_ms >= sa.literal(at_ms - self.length_ms, _BIG)
        found = (await reader.fetch(sa.select(sa.func.min(_TABLE.at_ms)).where(*self._mine, later)))[0][0]
        return None if found is None else int(found) + self.length_ms

    async def rows(self, reader: Reader, *where: sa.ColumnElement[bool], newest: int | None = None) -> Sequence[Row]:
        """Return the candles that fulfil conditions, oldest first; the newest of them if there is a limit."""
        wanted = sa.select(*_COLUMNS).where(*self._mine, *where)
        if newest is None:
            return await reader.fetch(wanted.order_by(_TABLE.at_ms))
        return (await reader.fetch(wanted.order_by(_TABLE.at_ms.desc()).limit(newest)))[::-1]

    @property
    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return _TABLE.stream_id == sa.literal(self.stream.id, _BIG), _TABLE.timeframe == self.timeframe


async def intervals_of(reader: Reader, streams: Sequence[StreamRow]) -> list[Interval]:
    """Return the timeframes that are stored of each stream of candles."""
    by_id = {stream.id: stream for stream in streams}
    wanted = sa.select(_TABLE.stream_id, _TABLE.timeframe).where(_TABLE.stream_id.in_(list(by_id))).distinct()
    rows = await reader.fetch(wanted.order_by(_TABLE.stream_id, _TABLE.timeframe))
    return [Interval(by_id[stream], timeframe, interval_ms(timeframe)) for stream, timeframe in rows]


async def history_before(reader: Reader, intervals: Sequence[Interval], at_ms: int) -> list[StoredMessage]:
    """Return for each timeframe one message with its newest candles that had ended before a moment."""
    found = []
    for each in intervals:
        ended = _TABLE.at_ms < sa.literal(at_ms - each.length_ms, _BIG)
        rows = await each.rows(reader, ended, newest=KEPT_CANDLES)
        found += [_message(each, at_ms, rows)] if rows else []
    return found


async def closed_between(
    reader: Reader, intervals: Sequence[Interval], since_ms: int, until_ms: int
) -> list[StoredMessage]:
    """Return a message for each candle that ended from a moment on, before another one."""
    found = []
    for each in intervals:
        later = _TABLE.at_ms >= sa.literal(since_ms - each.length_ms, _BIG)
        earlier = _TABLE.at_ms < sa.literal(until_ms - each.length_ms, _BIG)
        rows = await each.rows(reader, later, earlier)
        found += [_message(each, int(row[0]) + each.length_ms, [row]) for row in rows]
    return found


def _message(interval: Interval, at_ms: int, rows: Sequence[Row]) -> StoredMessage:
    candles: list[Candle] = [
        (int(opened_ms), float(opened), float(high), float(low), float(close), float(volume))
        for opened_ms, _, _, opened, high, low, close, volume in rows
    ]
    data = encode(CandlesDelta(interval.timeframe, candles))
    place = MessageId(int(rows[-1][1]), int(rows[-1][2]))
    return StoredMessage(at_ms, interval.stream.name, place, "delta", at_ms, data)
