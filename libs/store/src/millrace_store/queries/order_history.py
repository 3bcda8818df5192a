"""The history of one order: its requests, the answers to them, its changes, its fills."""

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa

from millrace_core.names import StreamName
from millrace_store.backends.database import Reader
from millrace_store.errors import AmbiguousOrder
from millrace_store.queries import account_records as make
from millrace_store.queries.listings import FoundRow, StreamRow, streams_of
from millrace_store.queries.pages import RowT, Scope
from millrace_store.queries.records import CurrentOrder, OrderEventRecord, OrderHistory
from millrace_store.schema import tables
from millrace_store.schema.streams import symbol_of
from millrace_store.schema.tables import Table


class _Section(NamedTuple):
    """Rows of one table that name an order or a request."""

    table: Table
    columns: tuple[str, ...]
    where: sa.ColumnElement[bool]


class _Key(NamedTuple):
    """Which order of a tenant."""

    exchange: str
    symbol: str
    """Empty where no message named it."""
    order_id: str


async def history_of(reader: Reader, scope: Scope, order_id: str | None, request_id: str | None) -> OrderHistory | None:
    """See `AccountQueries.order_history`."""
    if order_id is None and request_id is None:
        raise ValueError("order_history needs order_id or request_id")
    streams = await _streams(reader, scope)
    if order_id is not None:
        key = await _of_id(reader, streams, scope, order_id)
    else:
        key = await _made_by(reader, scope, request_id or "")
    order = None if key is None else await _current(reader, scope, key)
    asked = {found for found in (request_id, order.request_id if order else None) if found is not None}

    named = tables.responses.c.request_id.in_(asked) | _names(tables.responses, streams, key)
    responses = await _read(reader, streams, _Section(tables.responses, make.RESPONSE, named), make.response)
    # A request to cancel or edit names the order; only its answer links that request to the order.
    asked |= {response.request_id for response in responses}
    if key is None and (answered := [response for response in responses if response.order_id is not None]):
        key = _Key(answered[0].exchange, answered[0].symbol or "", answered[0].order_id or "")
        order = await _current(reader, scope, key)

    by_request = _Section(tables.requests, make.REQUEST, tables.requests.c.request_id.in_(asked))
    filled = _names(tables.own_trades, streams, key) & make.first_of_its_id()
    fills = _Section(tables.own_trades, make.OWN_TRADE, filled)
    history = OrderHistory(
        order=order,
        requests=await _read(reader, streams, by_request, make.request),
        responses=responses,
        events=[] if key is None else await _events(reader, streams, key),
        fills=await _read(reader, streams, fills, make.own_trade),
    )
    is_known = any((history.order, history.requests, history.responses, history.events, history.fills))
    return history if is_known else None


async def find_order(reader: Reader, scope: Scope, order_id: str) -> CurrentOrder | None:
    """See `AccountQueries.order`."""
    key = await _of_id(reader, await _streams(reader, scope), scope, order_id)
    return None if key is None else await _current(reader, scope, key)


async def _streams(reader: Reader, scope: Scope) -> dict[int, StreamRow]:
    of_exchange = await streams_of(reader, scope._replace(symbol=None))
    # Requests travel on one name for all exchanges.
    requests = await streams_of(reader, scope._replace(symbol=None, exchange=None), kind="requests")
    return {stream.id: stream for stream in (*of_exchange, *requests)}


async def _of_id(reader: Reader, streams: dict[int, StreamRow], scope: Scope, order_id: str) -> _Key | None:
    """Return the order that has this id and fits the scope, or None.

    Raises:
        AmbiguousOrder: several do.
    """
    table, fills = tables.orders.c, tables.own_trades.c
    placed = sa.select(table.exchange, table.symbol).where(table.tenant == scope.tenant, table.order_id == order_id)
    filled = sa.select(fills.stream_id).distinct().where(fills.order_id == order_id, fills.stream_id.in_(streams))
    found = {(exchange, symbol) for exchange, symbol in await reader.fetch(placed)}
    found |= {(streams[id_].exchange, streams[id_].symbol or "") for (id_,) in await reader.fetch(filled)}
    found = {(exchange, symbol) for exchange, symbol in found if scope.exchange in (None, exchange)}
    known = {exchange for exchange, symbol in found if symbol}
    # A message that names no symbol must not hide the order of a known symbol.
    fit = [one for one in sorted(found) if scope.symbol in (None, one[1]) and (one[1] or one[0] not in known)]
    if len(fit) > 1:
        raise AmbiguousOrder(order_id, fit)
    return _Key(*fit[0], order_id) if fit else None


async def _made_by(reader: Reader, scope: Scope, request_id: str) -> _Key | None:
    table = tables.orders.c
    wanted = sa.select(table.exchange, table.symbol, table.order_id).where(
        table.tenant == scope.tenant, table.request_id == request_id
    )
    rows = await reader.fetch(wanted.order_by(table.created_ms.desc()).limit(1))
    return _Key(*rows[0]) if rows else None


async def _current(reader: Reader, scope: Scope, key: _Key) -> CurrentOrder | None:
    table = tables.orders.c
    identity = sa.tuple_(table.tenant, table.exchange, table.symbol, table.order_id)
    rows = await reader.fetch(sa.select(table.data).where(identity == (scope.tenant, *key)))
    return make.current_order(rows[0][0]) if rows else None


def _names(table: Table, streams: dict[int, StreamRow], key: _Key | None) -> sa.ColumnElement[bool]:
    """Return the condition that a row names the order by id, on a stream of its exchange and symbol."""
    if key is None:
        return sa.false()
    own = [one.id for one in streams.values() if (one.exchange, one.symbol or "") == key[:2]]
    return (table.c.order_id == key.order_id) & table.c.stream_id.in_(own)


async def _events(reader: Reader, streams: dict[int, StreamRow], key: _Key) -> list[OrderEventRecord]:
    """Return the changes of an order; the streams of a whole account report orders of every symbol."""
    section = _Section(tables.order_events, make.ORDER_EVENT, tables.order_events.c.order_id == key.order_id)
    of_exchange = {id_: stream for id_, stream in streams.items() if stream.exchange == key.exchange}
    events = await _read(reader, of_exchange, section, make.order_event)
    return [event for event in events if symbol_of(event.order, StreamName.parse(event.stream)) == key.symbol]


async def _read(
    reader: Reader, streams: dict[int, StreamRow], section: _Section, record: Callable[[FoundRow], RowT]
) -> list[RowT]:
    """Return the records of a section in these streams, oldest first."""
    table: Any = section.table.c
    n = table.n if "n" in table else sa.literal_column("0")
    key = (table.stream_id, table.at_ms, table.epoch, table.seq, n)
    wanted = sa.select(*key, *(table[name] for name in section.columns))
    of_tenant = table.stream_id.in_(streams)
    rows = await reader.fetch(wanted.where(section.where, of_tenant).order_by(*key[1:4], table.stream_id))
    return [record(FoundRow(streams[row[0]], row)) for row in rows]
