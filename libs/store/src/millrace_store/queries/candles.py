"""Candles of any interval, built exactly from trades.

Minute candles are built once and stored. A batch with trades marks their minutes stale, and a stale minute is built
again from its trades: for a query, or by `rebuild_stale` to be stored. So the writer does not pay for candles, and late
trades still count, but not in minutes of which the retention may have dropped trades: what is stored of them stays.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS, now_ms
from millrace_core.intervals import Interval
from millrace_store.backends.database import Database, Reader
from millrace_store.backends.sql import Row
from millrace_store.errors import QuestionTooLarge
from millrace_store.queries.candle_building import Built, merge, of_rows, of_stored
from millrace_store.queries.listings import streams_of
from millrace_store.queries.pages import Page, Scope, beyond, decode_cursor, encode_cursor
from millrace_store.queries.records import CandleRecord
from millrace_store.schema import tables
from millrace_store.writing.retention import dropped_before

_FOREVER_MS: Final = 2**62
_MINUTE: Final = Interval(length_ms=MINUTE_MS)
_MINUTES_A_PIECE: Final = 5_000
_TRADES_A_PIECE: Final = 5_000
_NEAR_MS: Final = 15 * MINUTE_MS
_SETTLED_AFTER_MS: Final = 2 * MINUTE_MS
"""A minute is stored this long after its end, so that the current one is not rebuilt repeatedly."""
MAX_ROWS = 2_000_000
"""Trades and minutes that one question may read; it gets the candles up to there."""
MAX_S: Final = 20.0
"""How long one question may read."""


class Work:
    """How much one question has read, and whether that is enough."""

    def __init__(self) -> None:
        self.rows = 0
        self._until_s = time.monotonic() + MAX_S

    def read(self, rows: int) -> None:
        """Count rows that were read."""
        self.rows += rows

    @property
    def is_over(self) -> bool:
        """Tell whether the question has read for long enough."""
        return self.rows >= MAX_ROWS or time.monotonic() >= self._until_s


async def from_trades(
    database: Database, scope: Scope, interval: Interval, limit: int, cursor: str | None
) -> Page[CandleRecord]:
    """See `MarketQueries.candles_from_trades`."""
    if scope.exchange is None or scope.symbol is None:
        raise ValueError("candles need an exchange and a symbol")
    start = interval.open_of(scope.since_ms or 0)
    if cursor is not None:
        start = int(decode_cursor(cursor, (int,))[0])
    end = _FOREVER_MS if scope.until_ms is None else interval.first_open_from(scope.until_ms)
    made: list[Built] = []
    work = Work()
    read = _minutes if interval.is_whole(MINUTE_MS) else _raw
    if read is _raw:
        start = max(start, await _whole_from(database, interval))
    for stream in await _streams(database, scope):
        async with aclosing(read(database, stream, start, end, interval, work)) as pieces:
            async for piece in pieces:
                # The last so far may go on in this piece.
                made[-1:] = merge([*made[-1:], *piece[:1]], interval) + piece[1:]
                if len(made) > limit + 1:
                    break
                if work.is_over:
                    if len(made) < 2:
                        raise QuestionTooLarge(work.rows)
                    limit = min(limit, len(made) - 1)
                    break
    records = [
        CandleRecord(exchange=scope.exchange, symbol=scope.symbol, **candle._asdict()) for candle in made[:limit]
    ]
    return Page(records, encode_cursor((made[limit].at_ms,)) if len(made) > limit else None)


async def _whole_from(database: Database, interval: Interval) -> int:
    """Return when the first interval opens of which no trade was dropped."""
    async with database.reading() as reader:
        return interval.first_open_from(await dropped_before(reader, tables.trades))


async def _streams(database: Database, scope: Scope) -> list[int]:
    async with database.reading() as reader:
        return [stream.id for stream in await streams_of(reader, scope, "watchTrades")][:1]


def record_of(exchange: str, symbol: str, at_ms: int, prices: Sequence[Any]) -> CandleRecord:
    """Return the record of the exchange's own candle, with its open, high, low, close and volume."""
    opened, high, low, close, volume = map(Decimal, prices)
    return CandleRecord(
        exchange=exchange, symbol=symbol, at_ms=at_ms, open=opened, high=high, low=low, close=close, volume=volume
    )


async def rebuild_stale(database: Database) -> int:
    """Build and store the stale minutes that are over; return their number."""
    table, count = tables.stale_minutes.c, 0
    until = now_ms() - _SETTLED_AFTER_MS
    wanted = (
        sa.select(table.stream_id, table.at_ms, table.mark)
        .where(table.at_ms < sa.literal(until, sa.BigInteger()))
        .order_by(table.stream_id, table.at_ms)
        .limit(_MINUTES_A_PIECE)
    )
    while True:
        async with database.reading() as reader:
            marks = await reader.fetch(wanted)
            rows = []
            for stream, group in groupby(marks, key=lambda mark: int(mark[0])):
                minutes = await _to_rebuild(reader, stream, [at_ms for _, at_ms, _ in group])
                rows += [(stream, *candle) async for candle in _rebuilt(reader, stream, minutes, Work())]
        if not marks:
            return count
        async with database.writing() as writer:
            if rows:
                await writer.replace(tables.minute_candles, rows)
            # A minute that was marked again meanwhile has another mark and stays stale.
            await writer.remove(tables.stale_minutes, [tuple(mark) for mark in marks])
        count += len(marks)


async def _minutes(
    database: Database, stream: int, start: int, end: int, interval: Interval, work: Work
) -> AsyncGenerator[list[Built], None]:
    """Return candles of whole minutes piece by piece, with stale minutes rebuilt; each piece is a view of its own."""
    kept, stale = tables.minute_candles.c, tables.stale_minutes.c
    columns = (kept.at_ms, kept.open, kept.high, kept.low, kept.close, kept.volume, kept.trades)
    while start < end:
        async with database.reading() as reader:
            stale_rows = await reader.fetch(_range(sa.select(stale.at_ms), stale, stream, start, end))
            kept_rows = await reader.fetch(_range(sa.select(*columns), kept, stream, start, end))
            work.read(len(kept_rows))
            # Whichever list was cut short says how far this piece reaches.
            reached = min(
                [rows[-1][0] + MINUTE_MS for rows in (stale_rows, kept_rows) if len(rows) == _MINUTES_A_PIECE],
                default=end,
            )
            minutes = await _to_rebuild(reader, stream, [at_ms for (at_ms,) in stale_rows if at_ms < reached])
            anew = set(minutes)
            piece = of_stored([row for row in kept_rows if row[0] < reached and row[0] not in anew])
            async for candle in _rebuilt(reader, stream, minutes, work):
                piece.append(candle)
                if work.is_over:
                    # What lies behind the candle is not known yet.
                    piece = [each for each in piece if each.at_ms <= candle.at_ms]
                    reached = end
                    break
        yield merge(sorted(piece, key=itemgetter(0)) if minutes else piece, interval)
        start = reached


async def _to_rebuild(reader: Reader, stream: int, stale: list[int]) -> list[int]:
    """Return the stale minutes, without those that are stored and whose trades may have been dropped."""
    whole_from = await dropped_before(reader, tables.trades) if stale else 0
    if not stale or stale[0] >= whole_from:
        return stale
    table = tables.minute_candles.c
    rows = await reader.fetch(_range(sa.select(table.at_ms), table, stream, stale[0], whole_from).limit(None))
    kept = {at_ms for (at_ms,) in rows}
    return [at_ms for at_ms in stale if at_ms not in kept]


def _range(wanted: sa.Select[Any], table: Any, stream: int, start: int, end: int) -> sa.Select[Any]:
    return (
        wanted.where(
            table.stream_id == sa.literal(stream, sa.BigInteger()),
            table.at_ms >= sa.literal(start, sa.BigInteger()),
            table.at_ms < sa.literal(end, sa.BigInteger()),
        )
        .order_by(table.at_ms)
        .limit(_MINUTES_A_PIECE)
    )


async def _rebuilt(reader: Reader, stream: int, minutes: Sequence[int], work: Work) -> AsyncIterator[Built]:
    """Build minutes from their trades; minutes near one another are read together."""
    wanted = set(minutes)
    for first, last in _runs(minutes):
        unfinished: list[Built] = []
        async for rows in _trades(reader, stream, first, last + MINUTE_MS):
            work.read(len(rows))
            built = await asyncio.to_thread(of_rows, rows, _MINUTE)
            unfinished = merge([*unfinished, *built], _MINUTE)
            for candle in unfinished[:-1]:
                if candle.at_ms in wanted:
                    yield candle
            unfinished = unfinished[-1:]
        for candle in unfinished:
            yield candle


def _runs(minutes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Return first and last of each run of minutes that are near enough to be read by one query."""
    start = 0
    for at in range(1, len(minutes) + 1):
        if at == len(minutes) or minutes[at] - minutes[at - 1] > _NEAR_MS:
            yield minutes[start], minutes[at - 1]
            start = at


async def _raw(
    database: Database, stream: int, start: int, end: int, interval: Interval, work: Work
) -> AsyncGenerator[list[Built], None]:
    """Return candles of an interval that is not whole minutes, piece by piece; each piece is a view of its own."""
    last: Row | None = None
    while True:
        async with database.reading() as reader:
            rows = await reader.fetch(_trades_after(stream, start, end, last))
        work.read(len(rows))
        if rows:
            yield of_rows(rows, interval)
        if len(rows) < _TRADES_A_PIECE:
            return
        last = rows[-1]


async def _trades(reader: Reader, stream: int, start: int, end: int) -> AsyncIterator[Sequence[Row]]:
    """Return a stream's trades oldest first, piece by piece: their key, price and amount."""
    rows = await reader.fetch(_trades_after(stream, start, end, None))
    while rows:
        yield rows
        if len(rows) < _TRADES_A_PIECE:
            return
        rows = await reader.fetch(_trades_after(stream, start, end, rows[-1]))


def _trades_after(stream: int, start: int, end: int, last: Row | None) -> sa.Select[Any]:
    """Return the query for the next piece of trades: the first, or that which follows a row."""
    table = tables.trades.c
    key = [table.at_ms, table.epoch, table.seq, table.n]
    text = [sa.cast(column, sa.Text()) for column in (table.price, table.amount)]
    # One lower bound only: with two a planner may use the looser one and read everything from the start again.
    if last is None:
        begins = table.at_ms >= sa.literal(start, sa.BigInteger())
    else:
        begins = beyond(key, tuple(last[:4]), descending=False)
    return (
        sa.select(*key, *text)
        .where(table.stream_id == sa.literal(stream, sa.BigInteger()), table.at_ms < sa.literal(end, sa.BigInteger()))
        .where(begins)
        .order_by(*key)
        .limit(_TRADES_A_PIECE)
    )
