"""Queries of market data: trades, candles, tickers, order books, events."""

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from millrace_core import exact_json
from millrace_core.ids import MessageId
from millrace_core.intervals import Interval
from millrace_core.market import fields_after
from millrace_core.names import StreamName
from millrace_store.backends.database import Database, Reader
from millrace_store.queries import books, candles
from millrace_store.queries.listings import FoundRow, Listing, page_of, page_rows, streams_of
from millrace_store.queries.market_terms import newest_terms
from millrace_store.queries.pages import (
    DEFAULT_LIMIT,
    Page,
    Scope,
    beyond,
    bounded,
    decode_cursor,
    encode_cursor,
    within,
)
from millrace_store.queries.records import (
    BookRecord,
    CandleRecord,
    EventRecord,
    MarketRecord,
    TickerRecord,
    TradeRecord,
)
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id


class MarketQueries:
    """History of markets. Pages run oldest first, or newest first with `descending`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trades(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = False
    ) -> Page[TradeRecord]:
        """Return trades by their time.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        listing = Listing(tables.trades, ("trade_id", "side", "price", "amount"), limit, cursor, descending)
        return await page_of(self._database, scope, ("watchTrades",), listing, _trade)

    async def candles(
        self, scope: Scope, timeframe: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[CandleRecord]:
        """Return the exchange's own candles of one timeframe (`1m`), by time and stream.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table, limit = tables.candles.c, bounded(limit)
        async with self._database.reading() as reader:
            streams = {stream.id: stream for stream in await streams_of(reader, scope, "watchOHLCV")}
            wanted = (
                sa.select(*(table.at_ms, table.stream_id, table.open, table.high, table.low, table.close, table.volume))
                .where(table.stream_id.in_(streams), table.timeframe == timeframe, *within(scope, table.at_ms))
                .order_by(table.at_ms, table.stream_id)
                .limit(limit + 1)
            )
            if cursor is not None:
                key = decode_cursor(cursor, (int, int))
                wanted = wanted.where(beyond([table.at_ms, table.stream_id], key, descending=False))
            rows = await reader.fetch(wanted) if streams else []
        records = [
            candles.record_of(streams[stream].exchange, streams[stream].symbol or "", at_ms, prices)
            for at_ms, stream, *prices in rows[:limit]
        ]
        return Page(records, encode_cursor((rows[limit - 1][0], rows[limit - 1][1])) if len(rows) > limit else None)

    async def candles_from_trades(
        self,
        scope: Scope,
        interval: Interval,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[CandleRecord]:
        """Return candles of any interval, built exactly from stored trades; an interval without trades has no candle.

        `scope` must name an exchange and a symbol. Intervals that contain `since_ms` or `until_ms` are returned whole.
        Intervals that are not whole minutes begin where the retention has dropped no trades. A page for which too many
        rows would be read ends early, with a cursor.

        Raises:
            QuestionTooLarge: too many rows would be read for a single candle.
            BadCursor: `cursor` is not from a page of this query.
            ValueError: the scope names no exchange or no symbol.
        """
        return await candles.from_trades(self._database, scope, interval, bounded(limit), cursor)

    async def tickers(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[TickerRecord]:
        """Return the whole ticker after each message.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        return await _tickers(self._database, scope, limit, cursor)

    async def terms(self, scope: Scope) -> list[MarketRecord]:
        """Return the newest terms of each market, by exchange and symbol."""
        return await newest_terms(self._database, scope)

    async def book(
        self,
        name: StreamName,
        *,
        at_ms: int | None = None,
        message_id: MessageId | None = None,
        nonce: int | None = None,
        depth: int | None = None,
    ) -> BookRecord:
        """Return the order book as it was: at a moment, after a message, or at the exchange's own number (nonce).

        Exactly one of the three must be given. Between two nonces the book is that of the lower one. Moments are by the
        gatherer's clock, when changes of the book were published.

        Raises:
            BookUnknown: it cannot be rebuilt and proved from what is stored; `reason` says why.
            ValueError: not exactly one of the three was given.
        """
        given = [value for value in (at_ms, message_id, nonce) if value is not None]
        if len(given) != 1:
            raise ValueError("book needs exactly one of at_ms, message_id and nonce")
        goal: books.Goal
        if at_ms is not None:
            goal = books.Moment(at_ms)
        elif message_id is not None:
            goal = books.After(message_id)
        else:
            goal = books.Nonce(int(nonce or 0))
        async with self._database.reading() as reader:
            rebuilt = await books.rebuild(reader, name, goal)
        return books.record_of(name, rebuilt, depth)

    async def events(
        self, scope: Scope, action: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[EventRecord]:
        """Return messages of streams without a table of their own, such as `watchFundingRate`.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        return await page_of(self._database, scope, (action,), Listing(tables.events, ("data",), limit, cursor), _event)

    async def streams(self, scope: Scope) -> list[StreamName]:
        """Return the streams that have rows."""
        async with self._database.reading() as reader:
            return [StreamName.parse(stream.name) for stream in await streams_of(reader, scope)]


def _trade(found: FoundRow) -> TradeRecord:
    trade_id, side, price, amount = found.values
    return TradeRecord(
        exchange=found.stream.exchange,
        symbol=found.stream.symbol or "",
        message_id=found.message_id,
        at_ms=found.at_ms,
        id=trade_id,
        side=side,
        price=Decimal(price),
        amount=Decimal(amount),
    )


def _event(found: FoundRow) -> EventRecord:
    data: Any = exact_json.decode(found.values[0])
    return EventRecord(
        exchange=found.stream.exchange,
        symbol=found.stream.symbol,
        action=found.stream.action,
        message_id=found.message_id,
        at_ms=found.at_ms,
        data=data,
    )


_SLACK_MS: Final = 10_000
_BIG = sa.BigInteger()


async def _tickers(database: Database, scope: Scope, limit: int, cursor: str | None) -> Page[TickerRecord]:
    """Return whole tickers: the fields of each message laid over those before it."""
    whole: dict[tuple[int, int], dict[str, Any]] = {}
    records = []
    async with database.reading() as reader:
        streams = await streams_of(reader, scope, "watchTicker")
        found, after = await page_rows(reader, scope, streams, Listing(tables.tickers, ("data",), limit, cursor))
        for one in found:
            epoch = (one.stream.id, int(one.row[2]))
            before = whole[epoch] if epoch in whole else await _ticker_before(reader, one)
            whole[epoch] = fields_after(before, exact_json.decode(one.values[0]))
            records.append(
                TickerRecord(
                    exchange=one.stream.exchange,
                    symbol=one.stream.symbol or "",
                    message_id=one.message_id,
                    at_ms=one.at_ms,
                    ticker=whole[epoch],
                )
            )
    return Page(records, after)


async def _ticker_before(reader: Reader, first: FoundRow) -> dict[str, Any]:
    """Return the ticker before a message: the newest stored snapshot and the changes after it."""
    _, at_ms, epoch, seq, *_ = first.row
    table = tables.snapshots.c
    wanted = (
        sa.select(table.as_of_seq, table.at_ms, table.data)
        .where(
            table.stream_id == sa.literal(stream_id(StreamName.parse(first.stream.name).snapshot), _BIG),
            table.as_of_epoch == sa.literal(epoch, _BIG),
            table.as_of_seq < sa.literal(seq, _BIG),
        )
        .order_by(table.as_of_seq.desc())
        .limit(1)
    )
    rows = await reader.fetch(wanted)
    if not rows:
        return {}
    as_of, taken_at, data = rows[0]
    ticker: dict[str, Any] = exact_json.decode(data)
    ticker.pop("asOf", None)
    for (changed,) in await reader.fetch(
        _changes_between(first.stream.id, epoch, as_of, seq, taken_at - _SLACK_MS, at_ms)
    ):
        ticker = fields_after(ticker, exact_json.decode(changed))
    return ticker


def _changes_between(stream: int, epoch: int, after: int, before: int, since_ms: int, until_ms: int) -> sa.Select[Any]:
    table = tables.tickers.c
    return (
        sa.select(table.data)
        .where(
            table.stream_id == sa.literal(stream, _BIG),
            table.at_ms.between(sa.literal(since_ms, _BIG), sa.literal(until_ms, _BIG)),
            table.epoch == sa.literal(epoch, _BIG),
            table.seq > sa.literal(after, _BIG),
            table.seq < sa.literal(before, _BIG),
        )
        .order_by(table.seq)
    )
