"""Whole tickers: the fields that each message changed, laid over those before it."""

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from millrace_core.names import StreamName
from millrace_store.backends.database import Database, Reader
from millrace_store.queries.listings import Found, Listing, page_rows, streams_of
from millrace_store.queries.pages import Page, Scope
from millrace_store.queries.records import TickerRecord
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id

_SLACK_MS: Final = 10_000
_BIG = sa.BigInteger()


async def page(database: Database, scope: Scope, limit: int, cursor: str | None) -> Page[TickerRecord]:
    """See `Market.tickers`."""
    whole: dict[tuple[int, int], dict[str, Any]] = {}
    records = []
    async with database.reading() as reader:
        streams = await streams_of(reader, scope, "watchTicker")
        found, after = await page_rows(reader, scope, streams, Listing(tables.tickers, ("data",), limit, cursor))
        for one in found:
            epoch = (one.stream.id, int(one.row[2]))
            before = whole[epoch] if epoch in whole else await _before(reader, one)
            whole[epoch] = {**before, **msgspec.json.decode(one.values[0])}
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


async def _before(reader: Reader, first: Found) -> dict[str, Any]:
    """Return the ticker before a message, as far as it is stored: the newest snapshot and what came after it."""
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
    ticker: dict[str, Any] = msgspec.json.decode(data)
    ticker.pop("asOf", None)
    for (changed,) in await reader.fetch(_between(first.stream.id, epoch, as_of, seq, taken_at - _SLACK_MS, at_ms)):
        ticker.update(msgspec.json.decode(changed))
    return ticker


def _between(stream: int, epoch: int, after: int, before: int, since_ms: int, until_ms: int) -> sa.Select[Any]:
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
