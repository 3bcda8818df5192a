"""Candles of any interval, built exactly from trades.

Minute candles are built once and stored. A batch with trades marks their minutes stale, and a stale minute is built
again from its trades: for a query, or by `rebuild_stale` to be stored. So the writer does not pay for candles, and late
trades still count.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import now_ms
from millrace_store.backends.database import Database, Reader
from millrace_store.queries.listings import streams_of
from millrace_store.queries.pages import Page, Scope, beyond, decode_cursor, encode_cursor
from millrace_store.queries.records import CandleRecord
from millrace_store.schema import tables

MINUTE_MS: Final = 60_000
_FOREVER_MS: Final = 2**62
_MINUTES_A_PIECE: Final = 5_000
_TRADES_A_PIECE: Final = 20_000
_NEAR_MS: Final = 15 * MINUTE_MS
_SETTLED_AFTER_MS: Final = 2 * MINUTE_MS
"""A minute is stored this long after its end, so that the current one is not rebuilt repeatedly."""


_HIGH, _LOW, _VOLUME, _TRADES = itemgetter(2), itemgetter(3), itemgetter(5), itemgetter(6)
"""Fields of a `Built`, read fast: a month has 43,200 minutes."""


class Traded(NamedTuple):
    """The fields of a trade that a candle needs."""

    at_ms: int
    price: Decimal
    amount: Decimal


class Built(NamedTuple):
    """A candle built from trades."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int


def build(trades: Iterable[Traded], interval_ms: int) -> list[Built]:
    """Return the candles of trades, which must come oldest first."""
    made = []
    for at_ms, group in groupby(trades, key=lambda trade: trade[0] - trade[0] % interval_ms):
        part = list(group)
        prices = [trade.price for trade in part]
        volume = sum((trade.amount for trade in part), Decimal(0))
        made.append(Built(at_ms, prices[0], max(prices), min(prices), prices[-1], volume, len(part)))
    return made


def merge(candles: Sequence[Built], interval_ms: int) -> list[Built]:
    """Return the candles of a longer interval; `candles` must come oldest first, and may hold parts of one interval."""
    made = []
    for at_ms, group in groupby(candles, key=lambda candle: candle[0] - candle[0] % interval_ms):
        part = list(group)
        if len(part) == 1 and part[0].at_ms == at_ms:
            made.append(part[0])
            continue
        high, low = max(map(_HIGH, part)), min(map(_LOW, part))
        made.append(
            Built(at_ms, part[0].open, high, low, part[-1].close, sum(map(_VOLUME, part)), sum(map(_TRADES, part)))
        )
    return made


async def from_trades(
    database: Database, scope: Scope, interval_ms: int, limit: int, cursor: str | None
) -> Page[CandleRecord]:
    """See `MarketQueries.candles_from_trades`."""
    if interval_ms <= 0 or scope.exchange is None or scope.symbol is None:
        raise ValueError("candles need an interval above 0 ms, an exchange and a symbol")
    start = _floor(scope.since_ms or 0, interval_ms)
    if cursor is not None:
        start = int(decode_cursor(cursor, (int,))[0])
    end = _FOREVER_MS if scope.until_ms is None else -_floor(-scope.until_ms, interval_ms)
    made: list[Built] = []
    async with database.reading() as reader:
        streams = await streams_of(reader, scope, "watchTrades")
        if streams:
            exact = interval_ms % MINUTE_MS == 0
            pieces = _minutes(reader, streams[0].id, start, end) if exact else _raw(reader, streams[0].id, start, end)
            async for piece in pieces:
                # The last so far may go on in this piece.
                made[-1:] = merge([*made[-1:], *piece], interval_ms)
                if len(made) > limit + 1:
                    break
    records = [
        CandleRecord(exchange=scope.exchange, symbol=scope.symbol, **candle._asdict()) for candle in made[:limit]
    ]
    return Page(records, encode_cursor((made[limit].at_ms,)) if len(made) > limit else None)


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
                minutes = [at_ms for _, at_ms, _ in group]
                rows += [(stream, *candle) async for candle in _rebuilt(reader, stream, minutes)]
        if not marks:
            return count
        async with database.writing() as writer:
            if rows:
                await writer.replace(tables.minute_candles, rows)
            # A minute that was marked again meanwhile has another mark and stays stale.
            await writer.remove(tables.stale_minutes, [tuple(mark) for mark in marks])
        count += len(marks)


async def _minutes(reader: Reader, stream: int, start: int, end: int) -> AsyncIterator[list[Built]]:
    """Return the minutes of a stream piece by piece, with stale ones rebuilt."""
    kept, stale = tables.minute_candles.c, tables.stale_minutes.c
    while start < end:
        stale_rows = await reader.fetch(_range(sa.select(stale.at_ms), stale, stream, start, end))
        columns = (kept.at_ms, kept.open, kept.high, kept.low, kept.close, kept.volume, kept.trades)
        kept_rows = await reader.fetch(_range(sa.select(*columns), kept, stream, start, end))
        # Whichever list was cut short says how far this piece reaches.
        reached = min(
            [rows[-1][0] + MINUTE_MS for rows in (stale_rows, kept_rows) if len(rows) == _MINUTES_A_PIECE],
            default=end,
        )
        minutes = [at_ms for (at_ms,) in stale_rows if at_ms < reached]
        anew = set(minutes)
        columns_read = list(zip(*kept_rows, strict=True)) or [()] * 7
        decimals = (map(Decimal, column) for column in columns_read[1:6])
        built = map(Built._make, zip(columns_read[0], *decimals, columns_read[6], strict=True))
        piece = [candle for candle in built if candle.at_ms < reached and candle.at_ms not in anew]
        piece += [candle async for candle in _rebuilt(reader, stream, minutes)]
        yield sorted(piece, key=itemgetter(0)) if minutes else piece
        start = reached


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


async def _rebuilt(reader: Reader, stream: int, minutes: Sequence[int]) -> AsyncIterator[Built]:
    """Build minutes from their trades; minutes near one another are read together."""
    wanted = set(minutes)
    for first, last in _runs(minutes):
        unfinished: list[Built] = []
        async for trades in _trades(reader, stream, first, last + MINUTE_MS):
            unfinished = merge([*unfinished, *build(trades, MINUTE_MS)], MINUTE_MS)
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


async def _raw(reader: Reader, stream: int, start: int, end: int) -> AsyncIterator[list[Built]]:
    """Return single trades as candles of 1 ms, for intervals that are not whole minutes."""
    async for trades in _trades(reader, stream, start, end):
        yield build(trades, 1)


async def _trades(reader: Reader, stream: int, start: int, end: int) -> AsyncIterator[list[Traded]]:
    """Return a stream's trades oldest first, piece by piece."""
    table = tables.trades.c
    key = [table.at_ms, table.epoch, table.seq, table.n]
    text = [sa.cast(column, sa.Text()) for column in (table.price, table.amount)]
    wanted = (
        sa.select(*key, *text)
        .where(table.stream_id == sa.literal(stream, sa.BigInteger()), table.at_ms < sa.literal(end, sa.BigInteger()))
        .order_by(*key)
        .limit(_TRADES_A_PIECE)
    )
    rows = await reader.fetch(wanted.where(table.at_ms >= sa.literal(start, sa.BigInteger())))
    while rows:
        yield [Traded(row[0], Decimal(row[4]), Decimal(row[5])) for row in rows]
        if len(rows) < _TRADES_A_PIECE:
            return
        # One lower bound only: with two a planner may use the looser one and read everything from the start again.
        rows = await reader.fetch(wanted.where(beyond(key, tuple(rows[-1][:4]), descending=False)))


def _floor(at_ms: int, interval_ms: int) -> int:
    return at_ms - at_ms % interval_ms
