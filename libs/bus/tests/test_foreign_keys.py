"""Keys and members that somebody else wrote: none of them hides what is beside it, or keeps readers from it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer, UnmergeableOrder
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.names import (
    AGENTS_INDEX,
    CONFIGS_INDEX,
    TENANTS_INDEX,
    AgentId,
    ExchangeId,
    StreamName,
    Symbol,
    Tenant,
    agent_key,
    full_order_key,
    intents_key,
    journals_index,
    open_orders_key,
    order_key,
    orders_key,
    trader_actions,
)
from millrace_core.orders import Order, OrderRecord

KUCOIN, KCS = ExchangeId("kucoin"), Symbol("KCS/USDT")
DEEP = b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"


@pytest.fixture
async def raw(server: EmbeddedServer) -> AsyncIterator[Any]:
    """Somebody else's connection."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        yield client


def beat(agent: str) -> Heartbeat:
    """Return a heartbeat."""
    return Heartbeat(agent, "gatherer", "running", pid=1, started_at=1, sent_at=2, version="1")


def record(order_id: str) -> OrderRecord:
    """Return an open order."""
    return OrderRecord(Order(id=order_id, symbol=KCS, status="open", timestamp=1), KUCOIN, 1)


async def test_a_member_that_is_no_tenant_hides_no_journal(
    killable: EmbeddedServer, bus: Bus, raw: Any, answers: StreamName
) -> None:
    """Neither bytes that are no text, nor another tenant's index that is no sorted set."""
    await bus.register_journals(answers.tenant, str(answers))
    await raw.sadd(TENANTS_INDEX, b"\xff", "Bob")
    await raw.set(journals_index(Tenant("Bob")), "x")
    assert await bus.stream_names() == [answers]


async def test_a_key_that_is_no_stream_hides_no_journal(bus: Bus, raw: Any, answers: StreamName) -> None:
    """The others are read, in one command again from the next time on, and it has no extent."""
    foreign = f"{answers}x"
    await raw.set(foreign, "x")
    await raw.xadd(str(answers), {"data": "{}"}, id="5-1")
    start = MessageId(0, 0)
    async with bus.journals() as journals:
        for _ in range(2):
            found = await journals.read({foreign: start, str(answers): start}, most=10, wait_s=1.0)
            assert list(found) == [str(answers)]
        assert list(await journals.extents([foreign, str(answers)])) == [str(answers)]


@pytest.mark.parametrize("text", [DEEP, b'{"id":"\xff"}'])
async def test_what_is_no_heartbeat_hides_no_agent(killable: EmbeddedServer, bus: Bus, raw: Any, text: bytes) -> None:
    """Neither a member that is no text, nor a key that holds something else."""
    for agent in ("A", "B"):
        await bus.heartbeat(beat(agent))
    await raw.set(agent_key(AgentId("B")), text)
    await raw.sadd(AGENTS_INDEX, b"\xff")
    assert [heartbeat.id for heartbeat in await bus.heartbeats()] == ["A"]


async def test_heartbeats_can_be_read_where_nothing_can_be_written(
    killable: EmbeddedServer, bus: Bus, raw: Any
) -> None:
    """An operator looks just then; one agent has died, and cannot be taken out of the index."""
    for agent in ("A", "B"):
        await bus.heartbeat(beat(agent))
    await raw.delete(agent_key(AgentId("B")))
    await raw.execute_command("REPLICAOF", "127.0.0.1", "1")
    assert [heartbeat.id for heartbeat in await bus.heartbeats()] == ["A"]


@pytest.mark.parametrize("command", [("CONFIG", "SET", "maxmemory", "1"), ("REPLICAOF", "127.0.0.1", "1")], ids=str)
async def test_a_configuration_can_be_read_where_nothing_can_be_written(
    killable: EmbeddedServer, bus: Bus, raw: Any, command: tuple[str, ...]
) -> None:
    """An agent gets it, although it cannot be registered now."""
    await bus.put_config(AgentId("A"), "{}")
    await raw.execute_command(*command)
    async with asyncio.timeout(3):
        assert await anext(aiter(bus.watch_config(AgentId("A")))) == b"{}"


async def test_a_member_that_is_no_agent_hides_no_configuration(killable: EmbeddedServer, bus: Bus, raw: Any) -> None:
    """The others are reported."""
    await bus.put_config(AgentId("A"), "{}")
    await raw.sadd(CONFIGS_INDEX, b"\xff")
    changes = bus.config_changes()
    assert await anext(changes) == ("A", b"{}")
    await changes.aclose()


async def test_a_request_that_is_nested_too_deep_is_handed_on(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """Its reader answers it; the connection of all subscriptions stays up."""
    reader = bus.request_reader(tenant, consumer="c")
    async with asyncio.timeout(60):
        while not await raw.publish(trader_actions(tenant), DEEP):
            await asyncio.sleep(0.05)
        assert (await anext(reader)).raw == DEEP
        await raw.publish(trader_actions(tenant), b"{}")
        assert (await anext(reader)).raw == b"{}"
    await reader.close()


async def test_an_order_beside_a_key_of_another_type_is_invalid(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """That is the error which callers foresee; the orders of the same transaction are merged."""
    await raw.set(order_key(tenant, "a"), "x")
    wrong, right = await asyncio.gather(
        *(bus.orders.merge(tenant, record(each)) for each in "ab"), return_exceptions=True
    )
    assert isinstance(wrong, UnmergeableOrder)
    assert isinstance(right, OrderRecord)


async def test_an_index_of_another_type_is_an_invalid_order(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """Its hash is there; nobody finds it by the index."""
    await raw.set(orders_key(tenant, KUCOIN, KCS), "x")
    with pytest.raises(UnmergeableOrder):
        await bus.orders.merge(tenant, record("a"))


async def test_an_order_that_is_nested_too_deep_ends_no_other(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """Only its own merge fails."""
    await raw.hset(order_key(tenant, "bad"), mapping={"order": DEEP, "exchange": KUCOIN, "updated": 1})
    good, bad = await asyncio.gather(
        *(bus.orders.merge(tenant, record(each)) for each in ("good", "bad")), return_exceptions=True
    )
    assert isinstance(good, OrderRecord)
    assert isinstance(bad, UnmergeableOrder)


async def test_a_key_that_holds_another_order_is_not_joined_with_it(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """Another program wrote an order of another symbol under an order's full key: only that order is refused."""
    await bus.orders.merge(tenant, record("7"))
    full = full_order_key(tenant, KUCOIN, Symbol("ETH/USDT"), "7")
    await raw.copy(order_key(tenant, "7"), full)
    eth = OrderRecord(Order(id="7", symbol="ETH/USDT", status="open", timestamp=1), KUCOIN, 1)
    refused, merged = await asyncio.gather(
        bus.orders.merge(tenant, eth), bus.orders.merge(tenant, record("8")), return_exceptions=True
    )
    assert isinstance(refused, UnmergeableOrder)
    assert isinstance(merged, OrderRecord)


@pytest.mark.parametrize("fault", ["string", "no exchange", "rubbish", "member"])
async def test_an_order_that_cannot_be_read_hides_no_other(bus: Bus, raw: Any, tenant: Tenant, fault: str) -> None:
    """It is passed over by those who read all of a symbol's."""
    for each in "ab":
        await bus.orders.merge(tenant, record(each))
    key = order_key(tenant, "a")
    match fault:
        case "string":
            await raw.delete(key)
            await raw.set(key, "x")
        case "no exchange":
            await raw.hdel(key, "exchange")
        case "rubbish":
            await raw.hset(key, "order", "rubbish")
        case _:
            await raw.zadd(orders_key(tenant, KUCOIN, KCS), {b"\xff": 5})
            await raw.sadd(open_orders_key(tenant, KUCOIN, KCS), b"\xff")
    assert "b" in [each.order.id for each in await bus.orders.recent(tenant, KUCOIN, KCS)]
    assert "b" in await bus.orders.open_ids(tenant, KUCOIN, KCS)


async def test_a_field_that_is_no_text_hides_no_intent(bus: Bus, raw: Any, tenant: Tenant) -> None:
    """The account can start."""
    await raw.hset(intents_key(tenant, KUCOIN), mapping={b"\xff": "x", b"a": "y"})
    assert "a" in await bus.intents.all(tenant, KUCOIN)


async def test_a_server_that_cannot_save_is_still_read(killable: EmbeddedServer, bus: Bus, raw: Any) -> None:
    """MISCONF refuses a PING too; a new connection logs in all the same."""
    (killable.data_dir / "dump.rdb" / "in-the-way").mkdir(parents=True)
    for name, value in (("save", "3600 1"), ("stop-writes-on-bgsave-error", "yes")):
        await raw.config_set(name, value)
    await raw.execute_command("BGSAVE")
    async with asyncio.timeout(60):
        while True:
            try:
                await raw.set("x", "y")
            except redis.ResponseError as refused:
                assert "MISCONF" in str(refused)
                break
            await asyncio.sleep(0.05)
    async with Bus.connect(killable.url) as new:
        await new.ready(3)
    await raw.config_set("save", "")  # else it tries to save at its end, and does not end


@pytest.mark.parametrize("index", [AGENTS_INDEX, CONFIGS_INDEX, TENANTS_INDEX])
async def test_another_programs_key_in_place_of_an_index_ends_nothing(
    killable: EmbeddedServer, bus: Bus, raw: Any, index: str
) -> None:
    """Nothing is found by it until it is deleted; what is written and read by name goes on."""
    await raw.set(index, "x")
    await bus.heartbeat(beat("GATHERER"))
    await bus.put_config(AgentId("GATHERER"), "{}")
    found = [await bus.heartbeats(), await bus.all_configs(), await bus.stream_names()]
    assert [bool(each) for each in found] == [index != AGENTS_INDEX, index != CONFIGS_INDEX, False]
    assert await bus.get_config(AgentId("GATHERER")) == b"{}"
    await bus.end_heartbeat(AgentId("GATHERER"), 1)
    await raw.delete(index)
