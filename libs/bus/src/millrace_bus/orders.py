"""Orders in Redis, each the join of what every source said of it. See docs/protocol.md, "Orders"."""

import msgspec

from millrace_bus.control import Commands, Control, Value, WatchError
from millrace_core.messages import encode
from millrace_core.names import ExchangeId, Symbol, Tenant, open_orders_key, order_key, orders_key
from millrace_core.orders import Order, OrderRecord, join

KEPT_S = 7 * 24 * 3600
"""How long an order stays after it is final."""
RECENT = 1_000
"""How many orders of a symbol the index by time holds."""

_ORDER = msgspec.json.Decoder(Order)


class Orders:
    """Order hashes and their indexes; reached as `bus.orders`. Every call waits out an outage of Redis."""

    def __init__(self, redis: Control) -> None:
        self._redis = redis

    async def merge(self, tenant: Tenant, record: OrderRecord) -> OrderRecord:
        """Join a record with what is there; give the result. Idempotent, in any order of calls and callers."""
        key = order_key(tenant, record.order.id)
        while True:
            async with self._redis.pipeline(transaction=True) as transaction:
                try:
                    await transaction.watch(key)
                    present = _record(await transaction.hgetall(key))
                    joined = record if present is None else join(present, record)
                    if joined == present:
                        return joined
                    transaction.multi()
                    _store(transaction, tenant, joined)
                    await transaction.execute()
                except WatchError:
                    # Somebody else merged, or the connection was lost: join with what is there now.
                    continue
                return joined

    async def get(self, tenant: Tenant, order_id: str) -> OrderRecord | None:
        """Give an order; None where Redis knows none, or no longer (7 days after it was final)."""
        return _record(await self._redis.hgetall(order_key(tenant, order_id)))

    async def open_ids(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol) -> set[str]:
        """Give the ids of the open orders."""
        return {order_id.decode() for order_id in await self._redis.smembers(open_orders_key(tenant, exchange, symbol))}

    async def recent(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol, limit: int = 100) -> list[OrderRecord]:
        """Give the newest orders by creation time, newest first."""
        ids = await self._redis.zrevrange(orders_key(tenant, exchange, symbol), 0, limit - 1)
        async with self._redis.pipeline(transaction=False) as reads:
            for order_id in ids:
                reads.hgetall(order_key(tenant, order_id.decode()))
            return [record for fields in await reads.execute() if (record := _record(fields)) is not None]


def _record(fields: dict[bytes, bytes]) -> OrderRecord | None:
    """Read an order's hash."""
    if b"order" not in fields:
        return None
    source, request_id = fields.get(b"orderSource"), fields.get(b"requestId")
    return OrderRecord(
        order=_ORDER.decode(fields[b"order"]),
        exchange=fields[b"exchange"].decode(),
        updated=int(fields[b"updated"]),
        order_source=None if source is None else source.decode(),
        request_id=None if request_id is None else request_id.decode(),
    )


def _store(transaction: Commands, tenant: Tenant, record: OrderRecord) -> None:
    """Queue the commands that make Redis hold a record."""
    order = record.order
    key = order_key(tenant, order.id)
    fields: dict[str, Value] = {"order": encode(order), "exchange": record.exchange, "updated": record.updated}
    if record.order_source is not None:
        fields["orderSource"] = record.order_source
    if record.request_id is not None:
        fields["requestId"] = record.request_id
    transaction.hset(key, mapping=fields)
    if order.is_final:
        transaction.expire(key, KEPT_S)
    if order.symbol is None:
        # An acknowledgement that does not name it; the indexes follow with the message that does.
        return
    exchange, symbol = ExchangeId(record.exchange), Symbol(order.symbol)
    recent, opened = orders_key(tenant, exchange, symbol), open_orders_key(tenant, exchange, symbol)
    transaction.zadd(recent, {order.id: order.timestamp or record.updated})
    transaction.zremrangebyrank(recent, 0, -RECENT - 1)
    if order.is_final:
        transaction.srem(opened, order.id)
    else:
        transaction.sadd(opened, order.id)
