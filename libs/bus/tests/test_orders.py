"""Orders on a real server; the join itself is tested in core."""

import asyncio
from decimal import Decimal

import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import ExchangeId, Symbol, Tenant, order_key
from millrace_core.orders import Order, OrderRecord

KUCOIN, KCS = ExchangeId("kucoin"), Symbol("KCS/USDT")


def _record(
    order_id: str = "1", status: str = "open", filled: int = 0, source: str | None = None, symbol: str | None = KCS
) -> OrderRecord:
    order = Order(
        order_id, symbol, timestamp=int(order_id), status=status, amount=Decimal("10"), filled=Decimal(filled)
    )
    return OrderRecord(order, "kucoin", updated=1_000, order_source=source)


async def test_what_is_merged_can_be_read(bus: Bus, tenant: Tenant) -> None:
    """An order comes back as it was, digit for digit."""
    record = _record(source="James")
    merged = await bus.orders.merge(tenant, record)
    assert merged == record
    assert await bus.orders.get(tenant, "1") == record
    assert await bus.orders.get(tenant, "2") is None


async def test_sides_are_joined(bus: Bus, tenant: Tenant) -> None:
    """Whoever comes first, the fill and the source both stay."""
    await bus.orders.merge(tenant, _record(filled=7))
    merged = await bus.orders.merge(tenant, _record(source="James"))
    assert (merged.order.filled, merged.order_source) == (Decimal(7), "James")
    assert await bus.orders.get(tenant, "1") == merged


async def test_many_at_once_lose_nothing(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """Concurrent merges of two processes end in the join of them all."""
    records = [_record(filled=filled) for filled in range(10)] + [_record(source="James")]
    await asyncio.gather(*(side.orders.merge(tenant, record) for side in (bus, other) for record in records))
    found = await bus.orders.get(tenant, "1")
    assert found is not None
    assert (found.order.filled, found.order_source) == (Decimal(9), "James")


async def test_open_orders_are_listed_until_final(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """The set of open ids follows the status; a final order expires after 7 days, an open one never."""
    await bus.orders.merge(tenant, _record("1"))
    await bus.orders.merge(tenant, _record("2"))
    assert await bus.orders.open_ids(tenant, KUCOIN, KCS) == {"1", "2"}
    await bus.orders.merge(tenant, _record("1", status="closed", filled=10))
    await bus.orders.merge(tenant, _record("1"))
    assert await bus.orders.open_ids(tenant, KUCOIN, KCS) == {"2"}
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert 0 < await client.ttl(order_key(tenant, "1")) <= 7 * 24 * 3600
        assert await client.ttl(order_key(tenant, "2")) == -1


async def test_recent_orders_come_newest_first(bus: Bus, tenant: Tenant) -> None:
    """By creation time, as many as asked for."""
    for order_id in ("2", "3", "1"):
        await bus.orders.merge(tenant, _record(order_id))
    recent = await bus.orders.recent(tenant, KUCOIN, KCS, limit=2)
    assert [record.order.id for record in recent] == ["3", "2"]


async def test_an_acknowledgement_without_a_symbol_is_indexed_later(bus: Bus, tenant: Tenant) -> None:
    """The indexes wait for the message that names the symbol."""
    await bus.orders.merge(tenant, _record(symbol=None))
    assert await bus.orders.open_ids(tenant, KUCOIN, KCS) == set()
    await bus.orders.merge(tenant, _record())
    assert await bus.orders.open_ids(tenant, KUCOIN, KCS) == {"1"}


async def test_a_merge_waits_for_redis(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """During an outage a merge waits, and is carried out when Redis is back."""
    await bus.orders.merge(tenant, _record())
    await killable.kill()
    merging = asyncio.create_task(bus.orders.merge(tenant, _record(filled=5)))
    await asyncio.sleep(0.1)
    assert not merging.done()
    await killable.restart()
    async with asyncio.timeout(10):
        assert (await merging).order.filled == Decimal(5)
