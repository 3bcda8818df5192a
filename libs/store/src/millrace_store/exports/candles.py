"""Stored candles as messages at the end of their intervals."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa

from millrace_core.ids import MessageId
from millrace_core.intervals import Interval
from millrace_core.market import Candle, CandlesDelta, candle_of
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


class CandleSeries(NamedTuple):
    """The candles of one stream and timeframe."""

    stream: StreamRow
    timeframe: str
    interval: Interval

    async def span(self, reader: Reader) -> tuple[int, int]:
        """Return when the first and the last candle ended, ms."""
        mine = sa.select(sa.func.min(_TABLE.at_ms), sa.func.max(_TABLE.at_ms)).where(*self._mine)
        low, high = (await reader.fetch(mine))[0]
        return self.interval.next_open(int(low)), self.interval.next_open(int(high))

    async def first_from(self, reader: Reader, at_ms: int) -> int | None:
        """Return when the first candle from a moment on ended; None if there is none."""
        wanted = sa.select(_TABLE.at_ms).where(*self._mine, self._may_end_from(at_ms)).order_by(_TABLE.at_ms)
        # A shorter month of UTC and one of another time zone may have ended before; the one after them has not.
        ends = [self.interval.next_open(int(opened)) for (opened,) in await reader.fetch(wanted.limit(3))]
        return min((ended_ms for ended_ms in ends if ended_ms >= at_ms), default=None)

    async def ended_before(self, reader: Reader, at_ms: int) -> Sequence[Row]:
        """Return the newest candles that had ended before a moment, oldest first."""
        opened = _TABLE.at_ms < sa.literal(at_ms, _BIG)
        wanted = sa.select(*_COLUMNS).where(*self._mine, opened).order_by(_TABLE.at_ms.desc())
        # The first of them may not have ended yet.
        rows = await reader.fetch(wanted.limit(KEPT_CANDLES + 1))
        return [row for row in rows if self.interval.next_open(int(row[0])) < at_ms][:KEPT_CANDLES][::-1]

    async def ended_between(self, reader: Reader, since_ms: int, until_ms: int) -> list[tuple[int, Row]]:
        """Return the candles that ended from a moment on, before another one, each with when it ended, ms."""
        opened = _TABLE.at_ms < sa.literal(until_ms, _BIG)
        wanted = sa.select(*_COLUMNS).where(*self._mine, self._may_end_from(since_ms), opened).order_by(_TABLE.at_ms)
        ended = [(self.interval.next_open(int(row[0])), row) for row in await reader.fetch(wanted)]
        return [(at_ms, row) for at_ms, row in ended if since_ms <= at_ms < until_ms]

    def _may_end_from(self, at_ms: int) -> sa.ColumnElement[bool]:
        """Return the condition that a candle may end at a moment or later: months differ in length."""
        return cast("sa.ColumnElement[bool]", _TABLE.at_ms >= sa.literal(at_ms - self.interval.longest_ms, _BIG))

    @property
    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return _TABLE.stream_id == sa.literal(self.stream.id, _BIG), _TABLE.timeframe == self.timeframe


async def series_of(reader: Reader, streams: Sequence[StreamRow]) -> list[CandleSeries]:
    """Return the timeframes that are stored of each stream of candles."""
    by_id = {stream.id: stream for stream in streams}
    wanted = sa.select(_TABLE.stream_id, _TABLE.timeframe).where(_TABLE.stream_id.in_(list(by_id))).distinct()
    rows = await reader.fetch(wanted.order_by(_TABLE.stream_id, _TABLE.timeframe))
    return [CandleSeries(by_id[stream], timeframe, Interval.parse(timeframe)) for stream, timeframe in rows]


async def history_before(reader: Reader, series: Sequence[CandleSeries], at_ms: int) -> list[StoredMessage]:
    """Return for each timeframe one message with its newest candles that had ended before a moment."""
    found = []
    for each in series:
        rows = await each.ended_before(reader, at_ms)
        found += [_message(each, at_ms, rows)] if rows else []
    return found


async def closed_between(
    reader: Reader, series: Sequence[CandleSeries], since_ms: int, until_ms: int
) -> list[StoredMessage]:
    """Return a message for each candle that ended from a moment on, before another one."""
    found = []
    for each in series:
        found += [_message(each, at_ms, [row]) for at_ms, row in await each.ended_between(reader, since_ms, until_ms)]
    return found


def _message(series: CandleSeries, at_ms: int, rows: Sequence[Row]) -> StoredMessage:
    candles: list[Candle] = [candle_of(int(opened_ms), *map(str, numbers)) for opened_ms, _, _, *numbers in rows]
    data = encode(CandlesDelta(series.timeframe, candles))
    place = MessageId(int(rows[-1][1]), int(rows[-1][2]))
    return StoredMessage(at_ms, series.stream.name, place, "delta", at_ms, data)
