"""Orders as they are now: the join of everything that any message said of them."""

from collections.abc import Iterable
from decimal import InvalidOperation
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from millrace_core.messages import encode
from millrace_core.orders import OrderRecord, join
from millrace_store.backends.database import Writer
from millrace_store.backends.sql import POSTGRES
from millrace_store.errors import ValueRefused
from millrace_store.queries import records
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.writing.batch import Sighting

_Key = tuple[str, str, str, str]
"""Tenant, exchange, number, and the symbol, which is empty where nobody said it."""

_DECODER: Final = msgspec.json.Decoder(OrderRecord)
decode_order = _DECODER.decode
"""Read the column `data` of `orders`."""


async def join_orders(writer: Writer, dialect: Dialect, sightings: Iterable[Sighting]) -> None:
    """Join what messages said of orders into `orders`.

    Two writers may meet in one order over different streams: a tenant's orders are joined by one at a time.
    """
    sightings = list(sightings)
    if dialect is POSTGRES:
        for tenant in sorted({one.tenant for one in sightings}):
            await writer.fetch(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(stream_id(tenant), sa.BigInteger()))))
    joined: dict[_Key, OrderRecord] = {}
    for one in sightings:
        key = (one.tenant, one.record.exchange, one.record.order.id, one.record.order.symbol or "")
        joined[key] = _joined(joined[key], one.record) if key in joined else one.record
    keys = sorted(joined)
    table = tables.orders.c
    identity = (table.tenant, table.exchange, table.order_id, table.symbol)
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        known = sa.select(*identity, table.data).where(sa.tuple_(*identity).in_(part))
        for tenant, exchange, order_id, symbol, data in await writer.fetch(known):
            key = (tenant, exchange, order_id, symbol)
            joined[key] = _joined(joined[key], decode_order(data))
        await writer.replace(tables.orders, [_order_row(key, joined[key]) for key in part])


def _joined(a: OrderRecord, b: OrderRecord) -> OrderRecord:
    try:
        return join(a, b)
    except InvalidOperation as error:
        raise ValueRefused(f"order {a.order.id} has a number that is none, and compares with no other") from error


def _order_row(key: _Key, record: OrderRecord) -> tuple[Any, ...]:
    order = record.order
    created = order.timestamp if order.timestamp is not None else record.updated
    return (
        *(*key, record.order_source, record.request_id, order.side, order.type, order.status),
        *(order.price, order.amount, order.filled, order.average, created, record.updated, encode(record).decode()),
    )


def order_of(data: str) -> records.OrderRecord:
    """Make a record of the column `data` of `orders`."""
    known = decode_order(data)
    return records.OrderRecord(
        exchange=known.exchange,
        symbol=known.order.symbol,
        order=known.order,
        order_source=known.order_source,
        request_id=known.request_id,
        created_ms=known.order.timestamp,
        updated_ms=known.updated,
    )
