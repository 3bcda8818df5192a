"""The current orders: the join of all reports about each."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Dialect

from millrace_core import exact_json
from millrace_core.ids import is_request_id
from millrace_core.messages import encode
from millrace_core.names import Tenant, trader_actions
from millrace_core.orders import OrderRecord, join, non_finite
from millrace_store.backends.database import Writer
from millrace_store.backends.sql import POSTGRES
from millrace_store.errors import ValueRejected
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.writing.rows import nul_free
from millrace_store.writing.written import OrderObservation

OrderRowKey = tuple[str, str, str, str]
"""Tenant, exchange, order id, and the symbol, empty if no message named it."""
_REQUEST_ID_LENGTH: Final = 32

_decode: Final = msgspec.json.Decoder(OrderRecord).decode
"""Read the column `data` of `orders`."""


async def lock_accounts(writer: Writer, dialect: Dialect, tenants: Iterable[str]) -> None:
    """Let one transaction at a time change the orders and positions of a tenant; SQLite has one writer anyway."""
    if dialect is POSTGRES:
        for tenant in sorted(set(tenants)):
            await writer.fetch(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(stream_id(tenant), sa.BigInteger()))))


async def join_orders(writer: Writer, observations: Iterable[OrderObservation]) -> list[OrderRowKey]:
    """Join the messages' orders into the table `orders`; return those whose source became known.

    Different streams report the same order: the tenants must be locked by `lock_accounts`.

    Raises:
        ValueRejected: a number of an order is one that no exchange has.
    """
    observed = list(observations)
    joined = _joined(observed)
    edits = {_key_of(one): one.edit for one in observed if one.edit is not None}
    keys, attributed = sorted(joined), []
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        sources = await _join_known(writer, joined, part)
        await _find_sources(writer, joined, part, edits)
        attributed += [key for key in part if joined[key].order_source not in (None, sources.get(key))]
        await writer.replace(tables.orders, [_order_row(key, joined[key]) for key in part])
    return attributed


def _joined(observations: Iterable[OrderObservation]) -> dict[OrderRowKey, OrderRecord]:
    joined: dict[OrderRowKey, OrderRecord] = {}
    for one in observations:
        if names := non_finite(one.record.order):
            raise ValueRejected(f"order {one.record.order.id} has numbers that no exchange has: {', '.join(names)}")
        key = _key_of(one)
        joined[key] = join(joined[key], one.record) if key in joined else one.record
    return joined


def _key_of(one: OrderObservation) -> OrderRowKey:
    named = (nul_free(one.record.order.id) or "", nul_free(one.record.order.symbol) or "")
    return one.tenant, one.record.exchange, *named


async def _join_known(
    writer: Writer, joined: dict[OrderRowKey, OrderRecord], part: list[OrderRowKey]
) -> Mapping[OrderRowKey, str | None]:
    """Join with what is stored; return the stored sources."""
    table, sources = tables.orders.c, {}
    identity = (table.tenant, table.exchange, table.order_id, table.symbol)
    known = sa.select(*identity, table.data).where(sa.tuple_(*identity).in_(part))
    for tenant, exchange, order_id, symbol, data in await writer.fetch(known):
        key, record = (tenant, exchange, order_id, symbol), _decode(data)
        sources[key] = record.order_source
        joined[key] = join(joined[key], record)
    return sources


async def _find_sources(
    writer: Writer, joined: dict[OrderRowKey, OrderRecord], part: list[OrderRowKey], edits: Mapping[OrderRowKey, str]
) -> None:
    """Take the sources of orders without an answer from the requests whose ids their client order ids end with.

    An order that replaced an edited one belongs to the source of the edited one.
    """
    asked: dict[tuple[int, str], OrderRowKey] = {}
    for key in part:
        request = edits.get(key) or _request_in(joined[key].order.client_order_id or "")
        if joined[key].order_source is None and is_request_id(request):
            asked[stream_id(trader_actions(Tenant(key[0]))), request] = key
    if not asked:
        return
    table = tables.requests.c
    wanted = sa.select(table.stream_id, table.request_id, table.action, table.order_source, table.data).where(
        table.request_id.in_({request for _, request in asked}), table.action.in_(("createOrder", "editOrder"))
    )
    edited: dict[OrderRowKey, OrderRowKey] = {}
    for stream, request, action, source, data in await writer.fetch(wanted):
        if (found := asked.get((stream, request))) is None:
            continue
        if action == "editOrder":
            edited[found] = (*found[:2], *_edited(data))
            joined[found] = structs.replace(joined[found], request_id=joined[found].request_id or request)
        elif source is not None:
            joined[found] = structs.replace(joined[found], order_source=source)
    await _take_over(writer, joined, edited)


def _request_in(client_order_id: str) -> str:
    """Return what stands in a client order id where the id of its request does, in the forms that hold one."""
    return client_order_id[-_REQUEST_ID_LENGTH:]


def _edited(data: str) -> tuple[str, str]:
    """Return the id of the order that an edit names, and its symbol; empty if it does not say."""
    payload = exact_json.decode(data).get("payload")
    said = payload if isinstance(payload, dict) else {}
    order, ours, symbol = (nul_free(str(said.get(name) or "")) or "" for name in ("orderID", "clientOrderId", "symbol"))
    return order or _request_in(ours), symbol


async def _take_over(
    writer: Writer, joined: dict[OrderRowKey, OrderRecord], edited: Mapping[OrderRowKey, OrderRowKey]
) -> None:
    """Take the sources of the orders that these replaced: named by their ids, or by those of their requests."""
    table = tables.orders.c
    names = (table.tenant, table.exchange, table.order_id, table.symbol)
    by_request = (table.tenant, table.exchange, table.request_id, table.symbol)
    formers = set(edited.values())
    for columns in (names, by_request) if formers else ():
        known = sa.select(*columns, table.order_source).where(sa.tuple_(*columns).in_(formers))
        sources = {tuple(row[:4]): row[4] for row in await writer.fetch(known)}
        sources |= {key: record.order_source for key, record in joined.items() if columns is names and key in formers}
        for key, former in edited.items():
            if joined[key].order_source is None and (source := sources.get(former)) is not None:
                joined[key] = structs.replace(joined[key], order_source=source)


def _order_row(key: OrderRowKey, record: OrderRecord) -> tuple[Any, ...]:
    order = record.order
    created = order.timestamp if order.timestamp is not None else record.updated
    return (
        *map(nul_free, (*key, record.order_source, record.request_id, order.side, order.type, order.status)),
        *(order.price, order.amount, order.filled, order.average, created, record.updated, encode(record).decode()),
    )
