"""Orders on a real server; the join itself is tested in core."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Bus, CommandRefused, EmbeddedServer, TaskFailed, UnmergeableOrder
from millrace_bus.connection.connection import Connection
from millrace_bus.connection.slots import by_slot
from millrace_bus.orders import merger as merger_module
from millrace_core.names import ExchangeId, Symbol, Tenant, full_order_key, order_key, orders_key
from millrace_core.orders import Order, OrderRecord, join

KUCOIN, BINANCE = ExchangeId("kucoin"), ExchangeId("binance")
KCS, BTC, ETH = Symbol("KCS/USDT"), Symbol("BTC/USDT"), Symbol("ETH/USDT")


def _record(
    order_id: str = "1",
    status: str = "open",
    filled: int = 0,
    source: str | None = None,
    symbol: str | None = KCS,
    exchange: str = KUCOIN,
    amount: str = "10",
) -> OrderRecord:
    order = Order(
        order_id, symbol, timestamp=int(order_id), status=status, amount=Decimal(amount), filled=Decimal(filled)
    )
    return OrderRecord(order, exchange, updated=1_000, order_source=source)


async def test_what_is_merged_can_be_read(bus: Bus, tenant: Tenant) -> None:
    """An order comes back as it was, digit for digit."""
    record = _record(source="James")
    merged = await bus.orders.merge(tenant, record)
    assert merged == record
    assert await bus.orders.get(tenant, "1") == record
    assert await bus.orders.get(tenant, "2") is None


async def test_sides_are_joined(bus: Bus, tenant: Tenant) -> None:
    """The fill and the source both stay, in either order of arrival."""
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
        assert 7 * 24 * 3600 - 100 < await client.ttl(order_key(tenant, "1")) <= 7 * 24 * 3600
        assert await client.ttl(order_key(tenant, "2")) == -1


async def test_recent_orders_come_newest_first(bus: Bus, tenant: Tenant) -> None:
    """By creation time, as many as asked for."""
    for order_id in ("2", "3", "1"):
        await bus.orders.merge(tenant, _record(order_id))
    recent = await bus.orders.recent(tenant, KUCOIN, KCS, limit=2)
    assert [record.order.id for record in recent] == ["3", "2"]


async def test_the_index_by_time_holds_the_newest_thousand(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """An order whose creation time is not known stands at the time of its report."""
    index, times = orders_key(tenant, KUCOIN, KCS), {str(number): number for number in range(1_001)}
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.zadd(index, times)
        await bus.orders.merge(tenant, OrderRecord(Order("9999", KCS), KUCOIN, updated=999_999))
        await bus.orders.merge(tenant, OrderRecord(Order("5555", KCS, timestamp=555), KUCOIN, updated=999_999))
        assert await client.zrange(index, 0, 0) == [b"3"]
        assert await client.zcard(index) == 1_000
        assert [await client.zscore(index, order_id) for order_id in ("9999", "5555")] == [999_999, 555]


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
    merge = asyncio.create_task(bus.orders.merge(tenant, _record(filled=5)))
    await asyncio.sleep(0.1)
    assert not merge.done()
    await killable.restart()
    async with asyncio.timeout(60):
        assert (await merge).order.filled == Decimal(5)


async def test_the_ordinary_order_stands_under_its_plain_id(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """The key that people use holds it, and no other key does."""
    await bus.orders.merge(tenant, _record(source="James"))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert await client.hget(order_key(tenant, "1"), "orderSource") == b"James"
        assert not await client.exists(full_order_key(tenant, KUCOIN, KCS, "1"))


async def test_orders_of_one_id_are_never_joined(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """Where exchanges, or symbols of one, use the same id, each order is kept and found by itself."""
    places = [(BINANCE, BTC), (BINANCE, ETH), (KUCOIN, BTC)]
    records = {
        (exchange, symbol): _record("7", filled=number, symbol=symbol, exchange=exchange, source=f"{exchange} {symbol}")
        for number, (exchange, symbol) in enumerate(places)
    }
    await asyncio.gather(*(side.orders.merge(tenant, each) for side in (bus, other) for each in records.values()))
    for (exchange, symbol), given in records.items():
        record = join(given, given)
        assert await bus.orders.get(tenant, "7", exchange=exchange, symbol=symbol) == record
        assert await bus.orders.recent(tenant, exchange, symbol) == [record]
        assert await bus.orders.open_ids(tenant, exchange, symbol) == {"7"}
    assert await bus.orders.get(tenant, "7") in [join(given, given) for given in records.values()]


async def test_the_second_of_an_id_keeps_its_key(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """Also when the first is forgotten: what is learnt later is joined with what is known."""
    await bus.orders.merge(tenant, _record(symbol=BTC, exchange=BINANCE))
    await bus.orders.merge(tenant, _record(symbol=ETH, exchange=BINANCE, source="James"))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert await client.hget(full_order_key(tenant, BINANCE, ETH, "1"), "orderSource") == b"James"
        await client.delete(order_key(tenant, "1"))
    merged = await bus.orders.merge(tenant, _record(symbol=ETH, exchange=BINANCE, status="closed", filled=10))
    assert (merged.order_source, merged.order.filled) == ("James", Decimal(10))
    assert await bus.orders.get(tenant, "1", exchange=BINANCE, symbol=ETH) == merged
    assert await bus.orders.get(tenant, "1", exchange=BINANCE, symbol=BTC) is None


async def test_orders_of_two_exchanges_differ_without_a_symbol(bus: Bus, tenant: Tenant) -> None:
    """An acknowledgement that does not name its symbol is not joined with another exchange's order."""
    await bus.orders.merge(tenant, _record())
    await bus.orders.merge(tenant, _record(symbol=None, exchange=BINANCE, filled=9))
    assert await bus.orders.get(tenant, "1", exchange=KUCOIN) == _record()
    assert await bus.orders.get(tenant, "1", exchange=BINANCE) == _record(symbol=None, exchange=BINANCE, filled=9)


async def test_an_order_that_cannot_be_merged_holds_up_no_other(
    bus: Bus, server: EmbeddedServer, tenant: Tenant
) -> None:
    """Its own caller learns why; those merged at the same time, and later, are."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(order_key(tenant, "2"), "no hash")
        await client.hset(order_key(tenant, "3"), "order", "{}")
    one, two, three = await asyncio.gather(
        *(bus.orders.merge(tenant, _record(order_id)) for order_id in ("1", "2", "3")), return_exceptions=True
    )
    assert one == _record("1")
    assert isinstance(two, UnmergeableOrder)
    assert isinstance(three, UnmergeableOrder)
    with pytest.raises(UnmergeableOrder, match="WRONGTYPE"):
        await bus.orders.merge(tenant, _record("2"))
    assert await bus.orders.merge(tenant, _record("4")) == _record("4")


async def test_more_orders_than_one_transaction_takes(bus: Bus, tenant: Tenant) -> None:
    """However many come at once, each is there in the end, with its own result."""
    records = [_record(str(number)) for number in range(200)]
    assert await asyncio.gather(*(bus.orders.merge(tenant, record) for record in records)) == records
    assert len(await bus.orders.recent(tenant, KUCOIN, KCS, limit=1_000)) == 200


async def test_a_merge_that_is_cancelled_holds_up_no_other(bus: Bus, tenant: Tenant) -> None:
    """Who waits for another order gets its result."""
    one, two = (asyncio.create_task(bus.orders.merge(tenant, _record(order_id))) for order_id in ("1", "2"))
    await asyncio.sleep(0)
    one.cancel()
    assert await two == _record("2")


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity"])
async def test_a_number_that_is_not_finite_delays_no_other_order(
    bus: Bus, server: EmbeddedServer, tenant: Tenant, number: str
) -> None:
    """Handed in or found in Redis: its own caller learns which number it is, and the other orders are merged."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        fields = {"order": f'{{"id":"2","filled":"{number}"}}', "exchange": KUCOIN, "updated": "1"}
        await client.hset(order_key(tenant, "2"), mapping=fields)
    one, two, three = await asyncio.gather(
        bus.orders.merge(tenant, _record("1")),
        bus.orders.merge(tenant, _record("2", filled=1)),
        bus.orders.merge(tenant, _record("3", amount=number)),
        return_exceptions=True,
    )
    assert one == _record("1")
    assert isinstance(two, UnmergeableOrder)
    assert "filled must be finite" in str(two)
    assert isinstance(three, UnmergeableOrder)
    assert "amount must be finite" in str(three)
    assert (await bus.orders.merge(tenant, _record("1", filled=1))).order.filled == 1


async def test_an_unforeseen_error_reaches_those_whose_merge_it_was(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, tenant: Tenant
) -> None:
    """No caller waits forever or is cancelled, what waits behind is merged, and so is the next."""
    storing, other = merger_module.storing, Tenant(f"{tenant}-other")

    def fail_once(*arguments: Any) -> Any:
        monkeypatch.setattr(merger_module, "storing", storing)
        cancelled.cancel()
        raise ZeroDivisionError

    monkeypatch.setattr(merger_module, "storing", fail_once)
    cancelled, failed, behind = (
        asyncio.create_task(bus.orders.merge(*each))
        for each in ((tenant, _record("1")), (tenant, _record("2")), (other, _record("1")))
    )
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        await failed
    assert await behind == _record("1")
    assert cancelled.cancelled()
    assert await bus.orders.merge(tenant, _record("1")) == _record("1")


async def test_one_transaction_at_a_time_also_after_an_unforeseen_error(
    bus: Bus, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would undo each other's watching of the same orders."""
    storing, workers = merger_module.storing, list[int]()

    def fail_once(*arguments: Any) -> Any:
        workers.append(len([task for task in asyncio.all_tasks() if task.get_name() == "order merger"]))
        return storing(*arguments) if len(workers) > 1 else 1 / 0

    monkeypatch.setattr(merger_module, "storing", fail_once)
    failing = asyncio.ensure_future(bus.orders.merge(tenant, _record("1")))
    while not workers:
        await asyncio.sleep(0)
    await bus.orders.merge(tenant, _record("2"))
    with pytest.raises(TaskFailed):
        await failing
    assert workers == [1, 1]


async def test_closing_the_bus_cancels_what_still_waits(killable: EmbeddedServer, tenant: Tenant) -> None:
    """Both what is being merged and what would be next."""
    async with Bus.connect(killable.url, name="closed") as bus:
        await bus.orders.merge(tenant, _record("1"))
        await killable.kill()
        merges = [asyncio.create_task(bus.orders.merge(tenant, _record("2")))]
        await asyncio.sleep(0)  # it is under way
        merges.append(asyncio.create_task(bus.orders.merge(Tenant(f"{tenant}-other"), _record("3"))))
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await asyncio.wait(merges)
    assert all(merge.cancelled() for merge in merges)


async def test_a_merge_that_changes_nothing_writes_nothing(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """Most reports repeat what is known; several of one order at once are written once."""
    first, second = await asyncio.gather(*(bus.orders.merge(tenant, _record("1", filled=n)) for n in (1, 2)))
    assert first == second == join(_record("1", filled=2), _record("1", filled=1))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(index := orders_key(tenant, KUCOIN, KCS))
        assert await bus.orders.merge(tenant, _record("1", filled=1)) == first
        assert not await client.exists(index)


async def test_what_redis_refuses_to_write_is_no_fault_of_the_order(killable: EmbeddedServer, tenant: Tenant) -> None:
    """Each caller learns that, and may try again."""
    async with (
        redis.asyncio.Redis.from_url(killable.url) as client,
        Bus.connect(killable.url, name="refused") as bus,
    ):
        await client.config_set("maxmemory", 1)
        merges = (bus.orders.merge(tenant, _record(order_id)) for order_id in "12")
        for refused in await asyncio.gather(*merges, return_exceptions=True):
            assert isinstance(refused, CommandRefused) and refused.code == "OOM"
        await client.config_set("maxmemory", 0)
        assert await bus.orders.merge(tenant, _record("1")) == _record("1")


async def test_one_transaction_holds_orders_of_one_tenant(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, tenant: Tenant
) -> None:
    """The keys of each lie in one slot: a cluster refuses a transaction over two."""
    watched: list[list[str]] = []
    watch = merger_module._watched

    async def note(connection: Connection, merges: Sequence[Any]) -> Any:
        watched.append([key for merge in merges for key in merge.keys])
        return await watch(connection, merges)

    monkeypatch.setattr(merger_module, "_watched", note)
    tenants = [Tenant(f"{tenant}{each}") for each in "ab"]
    await asyncio.gather(*(bus.orders.merge(each, _record(str(n))) for n in range(5) for each in tenants))
    assert all(len(by_slot(keys)) == 1 for keys in watched)
    assert len(watched) == 2
