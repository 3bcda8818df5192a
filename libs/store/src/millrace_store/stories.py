"""The whole story of one order: what was asked, what was answered, what happened to it, what it traded."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from millrace_store import account_records as make
from millrace_store import schema
from millrace_store.current_orders import order_of
from millrace_store.database import Reader
from millrace_store.paging import Found, Stream, streams_of
from millrace_store.records import OrderRecord, OrderStory
from millrace_store.schema import Table
from millrace_store.scope import RowT, Scope


class _Chapter(NamedTuple):
    """Rows of one table that name an order or a request."""

    table: Table
    columns: tuple[str, ...]
    where: sa.ColumnElement[bool]


async def tell(reader: Reader, scope: Scope, order_id: str | None, request_id: str | None) -> OrderStory | None:
    """See `Account.story`."""
    if order_id is None and request_id is None:
        raise ValueError("a story is of an order or of a request: give one of the ids")
    streams = {stream.id: stream for face in ("deltas", "requests") for stream in await _streams(reader, scope, face)}
    order = await _order(reader, scope, order_id, request_id)
    orders = {found for found in (order_id, order.order.id if order else None) if found is not None}
    asked = {found for found in (request_id, order.request_id if order else None) if found is not None}

    answered = schema.responses.c
    named = answered.order_id.in_(orders) | answered.request_id.in_(asked)
    responses = await _read(reader, streams, _Chapter(schema.responses, make.RESPONSE, named), make.response)
    # A request to cancel or edit names the order, not the request that made it; its answer tells which it was.
    asked |= {response.request_id for response in responses}
    orders |= {response.order_id for response in responses if response.order_id is not None and request_id is not None}

    by_request = _Chapter(schema.requests, make.REQUEST, schema.requests.c.request_id.in_(asked))
    by_order = _Chapter(schema.order_events, make.ORDER_EVENT, schema.order_events.c.order_id.in_(orders))
    filled = schema.own_trades.c.order_id.in_(orders) & make.first_of_its_id()
    fills = _Chapter(schema.own_trades, make.OWN_TRADE, filled)
    story = OrderStory(
        order=order if order is not None else await _order_among(reader, scope, orders),
        requests=await _read(reader, streams, by_request, make.request),
        responses=responses,
        events=await _read(reader, streams, by_order, make.order_event),
        fills=await _read(reader, streams, fills, make.own_trade),
    )
    return story if any((story.order, story.requests, story.responses, story.events, story.fills)) else None


async def _streams(reader: Reader, scope: Scope, face: str) -> list[Stream]:
    # Requests travel on one name for all exchanges.
    wide = scope._replace(symbol=None, exchange=scope.exchange if face == "deltas" else None)
    return await streams_of(reader, wide, face=face)


async def _order(reader: Reader, scope: Scope, order_id: str | None, request_id: str | None) -> OrderRecord | None:
    table = schema.orders.c
    which = table.order_id == order_id if order_id is not None else table.request_id == request_id
    return await _current(reader, scope, which)


async def _order_among(reader: Reader, scope: Scope, orders: Iterable[str]) -> OrderRecord | None:
    return await _current(reader, scope, schema.orders.c.order_id.in_(orders))


async def _current(reader: Reader, scope: Scope, which: sa.ColumnElement[bool]) -> OrderRecord | None:
    table = schema.orders.c
    wanted = sa.select(table.data).where(table.tenant == scope.tenant, which)
    if scope.exchange is not None:
        wanted = wanted.where(table.exchange == scope.exchange)
    rows = await reader.fetch(wanted.order_by(table.created_ms.desc()).limit(1))
    return order_of(rows[0][0]) if rows else None


async def _read(
    reader: Reader, streams: dict[int, Stream], chapter: _Chapter, record: Callable[[Found], RowT]
) -> list[RowT]:
    """Give a chapter's rows of these streams, oldest first."""
    table: Any = chapter.table.c
    n = table.n if "n" in table else sa.literal_column("0")
    key = (table.stream_id, table.at_ms, table.epoch, table.seq, n)
    wanted = sa.select(*key, *(table[name] for name in chapter.columns))
    of_tenant = table.stream_id.in_(streams)
    rows = await reader.fetch(wanted.where(chapter.where, of_tenant).order_by(*key[1:4], table.stream_id))
    return [record(Found(streams[row[0]], row)) for row in rows]
