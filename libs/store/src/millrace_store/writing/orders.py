"""The current orders: the join of all reports about each."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from millrace_core.messages import encode
from millrace_core.orders import OrderRecord, join, non_finite
from millrace_store.backends.database import Writer
from millrace_store.backends.sql import POSTGRES
from millrace_store.errors import ValueRejected
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.writing.written import OrderObservation

_Key = tuple[str, str, str, str]
"""Tenant, exchange, order id, and the symbol, empty if no message named it."""

_decode: Final = msgspec.json.Decoder(OrderRecord).decode
"""Read the column `data` of `orders`."""


async def join_orders(writer: Writer, dialect: Dialect, observations: Iterable[OrderObservation]) -> None:
    """Join the messages' orders into the table `orders`.

    Different streams report the same order, so one writer at a time joins the orders of a tenant.

    Raises:
        ValueRejected: a number of an order is NaN or infinite.
    """
    observations = list(observations)
    for one in observations:
        if names := non_finite(one.record.order):
            raise ValueRejected(f"order {one.record.order.id} has numbers that are NaN or infinite: {', '.join(names)}")
    if dialect is POSTGRES:
        for tenant in sorted({one.tenant for one in observations}):
            await writer.fetch(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(stream_id(tenant), sa.BigInteger()))))
    joined: dict[_Key, OrderRecord] = {}
    for one in observations:
        key = (one.tenant, one.record.exchange, one.record.order.id, one.record.order.symbol or "")
        joined[key] = join(joined[key], one.record) if key in joined else one.record
    keys = sorted(joined)
    table = tables.orders.c
    identity = (table.tenant, table.exchange, table.order_id, table.symbol)
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        known = sa.select(*identity, table.data).where(sa.tuple_(*identity).in_(part))
        for tenant, exchange, order_id, symbol, data in await writer.fetch(known):
            key = (tenant, exchange, order_id, symbol)
            joined[key] = join(joined[key], _decode(data))
        await writer.replace(tables.orders, [_order_row(key, joined[key]) for key in part])


def _order_row(key: _Key, record: OrderRecord) -> tuple[Any, ...]:
    order = record.order
    created = order.timestamp if order.timestamp is not None else record.updated
    return (
        *(*key, record.order_source, record.request_id, order.side, order.type, order.status),
        *(order.price, order.amount, order.filled, order.average, created, record.updated, encode(record).decode()),
    )
