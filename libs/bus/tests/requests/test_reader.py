"""Taking requests on a real server."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Arrived, Bus, EmbeddedServer, RequestReader, TaskFailed
from millrace_bus.requests import reader as reader_module
from millrace_bus.requests.sender import GROUP
from millrace_core.clock import now_ms
from millrace_core.names import Tenant, journals_index, trader_actions
from millrace_core.requests import CreateOrder, CreatePayload, parse_request

ORDER = CreateOrder(
    exchange_id="kucoin", payload=CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=1)
)
TYPED = b'{"action":"createOrder","exchangeId":"kucoin","payload":{"symbol":"KCS/USDT","side":"buy"}}'


async def _next(reader: RequestReader) -> Arrived:
    async with asyncio.timeout(60):
        return await anext(reader)


async def _nothing_more(reader: RequestReader) -> bool:
    try:
        async with asyncio.timeout(0.1):
            await anext(reader)
    except TimeoutError:
        return True
    return False


async def test_a_request_arrives_once(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """A journaled request is taken from the journal, not from the channel too."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    request_id = await bus.requests.send(tenant, ORDER)
    arrived = await _next(reader)
    assert arrived.tenant == tenant
    assert parse_request(arrived.raw).request_id == request_id
    assert arrived.entry_id is not None
    assert arrived.received_ms == int(arrived.entry_id.partition("-")[0])
    assert await _nothing_more(reader)
    await reader.close()


async def test_a_request_sent_before_a_reader_started_arrives(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """The journal keeps what was sent while no executor was there."""
    request_id = await bus.requests.send(tenant, ORDER)
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    assert parse_request((await _next(reader)).raw).request_id == request_id
    await reader.close()


async def test_a_request_typed_by_hand_is_taken_from_the_channel(
    server: EmbeddedServer, other: Bus, tenant: Tenant, until: Any
) -> None:
    """PUBLISH alone is enough, even for a malformed request; its count shows a receiver, which writes it down."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    async with redis.asyncio.Redis.from_url(server.url) as client:
        async with asyncio.timeout(60):
            while not await client.publish(trader_actions(tenant), TYPED):
                pass
        await client.publish(trader_actions(tenant), b"{oops")
    first, second = await _next(reader), await _next(reader)
    assert (first.raw, second.raw) == (TYPED, b"{oops")
    assert first.origin != second.origin
    assert abs(first.received_ms - now_ms()) < 5_000
    await reader.close()
    again = other.request_reader(tenant, consumer="HEIR")
    assert [(each.raw, each.origin) for each in (await _next(again), await _next(again))] == [
        (TYPED, first.origin),
        (b"{oops", second.origin),
    ]
    await again.close()


async def test_who_may_not_act_writes_nothing_down(server: EmbeddedServer, other: Bus, tenant: Tenant) -> None:
    """What a frozen executor hears when it thaws, its successor has heard too."""

    async def lost() -> None:
        raise RuntimeError("another executor acts")

    reader = other.request_reader(tenant, consumer="EXECUTOR", may_act=lost)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        while not await client.publish(trader_actions(tenant), TYPED):
            pass
        with pytest.raises(TaskFailed, match="another executor acts"):
            await _next(reader)
        assert not await client.xlen(trader_actions(tenant))
    await reader.close()


async def test_what_another_took_when_it_might_no_longer_is_taken_from_it(
    server: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant
) -> None:
    """An executor that thaws may take an entry before it knows that it lost the lease: it is not left with it."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await bus.requests.send(tenant, ORDER)
    await reader.done(await _next(reader))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await reader.close()
        request_id = await bus.requests.send(tenant, ORDER)
        heir = other.request_reader(tenant, consumer="HEIR")
        assert parse_request((await _next(heir)).raw).request_id == request_id
        entry = await client.xadd(trader_actions(tenant), {"data": "late"}, id="9999999999999-0")
        await client.xgroup_setid(trader_actions(tenant), GROUP, entry)
        await client.xclaim(trader_actions(tenant), GROUP, "THAWED", 0, [entry], force=True)
        assert (await _next(heir)).raw == b"late"
        await heir.close()


async def test_what_was_not_done_comes_again_after_a_restart(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """A consumer that died finds its unanswered requests first, and those answered no more."""
    ids = [await bus.requests.send(tenant, ORDER) for _ in range(3)]
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await reader.done(await _next(reader))
    await _next(reader)
    await reader.close()
    ids.append(await bus.requests.send(tenant, ORDER))
    again = other.request_reader(tenant, consumer="EXECUTOR")
    arrived = [await _next(again) for _ in range(3)]
    assert [parse_request(request.raw).request_id for request in arrived] == ids[1:]
    await again.close()


async def test_what_a_dead_consumer_left_is_taken_over(
    server: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant
) -> None:
    """Another consumer gets at once what is pending, and the dead one is forgotten."""
    request_id = await bus.requests.send(tenant, ORDER)
    dead = other.request_reader(tenant, consumer="DEAD")
    await _next(dead)
    await dead.close()
    heir = other.request_reader(tenant, consumer="HEIR")
    assert parse_request((await _next(heir)).raw).request_id == request_id
    async with redis.asyncio.Redis.from_url(server.url) as client, asyncio.timeout(60):
        while [each["name"] for each in await client.xinfo_consumers(trader_actions(tenant), GROUP)] != [b"HEIR"]:
            await asyncio.sleep(0.01)
    await heir.close()


async def test_reading_survives_the_death_of_redis(
    killable: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant, forget_all: Any
) -> None:
    """Also when Redis returns with nothing, not even the group; what is in hand is not handed out twice."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await bus.requests.send(tenant, ORDER)
    in_hand = await _next(reader)
    await killable.kill()
    await killable.restart()
    second = await bus.requests.send(tenant, ORDER)
    arrived = await _next(reader)
    assert parse_request(arrived.raw).request_id == second
    await reader.done(in_hand)
    await reader.done(arrived)
    await forget_all(killable)
    third = await bus.requests.send(tenant, ORDER)
    # What Redis had forgotten is sent again: an executor knows it by its id.
    ids = [parse_request((await _next(reader)).raw).request_id for _ in range(3)]
    assert ids[-1] == third
    await reader.close()


async def test_a_trimmed_request_is_passed_over(
    server: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that was trimmed while pending blocks nothing after it; the log says that it gets no answer."""
    await bus.requests.send(tenant, ORDER)
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await _next(reader)
    await reader.close()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.xtrim(trader_actions(tenant), maxlen=0, approximate=False)
    second = await bus.requests.send(tenant, ORDER)
    again = other.request_reader(tenant, consumer="EXECUTOR")
    assert parse_request((await _next(again)).raw).request_id == second
    assert "was trimmed before it was answered" in caplog.text
    await again.close()


async def test_a_closed_reader_ends_its_iteration(other: Bus, tenant: Tenant) -> None:
    """The iteration ends."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await reader.close()
    assert [arrived async for arrived in reader] == []
    await reader.close()


async def test_reading_that_ends_by_itself_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, tenant: Tenant
) -> None:
    """The iteration raises the error, so no executor waits for requests that are not read."""

    async def break_down(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(RequestReader, "_take_new", break_down)
    reader = bus.request_reader(tenant, consumer="EXECUTOR")
    for _ in range(2):
        async with asyncio.timeout(5):
            with pytest.raises(TaskFailed, match="unforeseen"):
                await anext(reader)


async def test_the_requests_that_are_read_are_found_by_name(bus: Bus, tenant: Tenant) -> None:
    """Their reader registers the journal, also where no program of ours writes it."""
    bus.request_reader(tenant, consumer="EXECUTOR")
    async with asyncio.timeout(60), bus.journals() as journals:
        while await journals.names([tenant]) != {trader_actions(tenant)}:
            await asyncio.sleep(0.01)


async def test_a_journal_that_is_no_stream_ends_the_reading_with_the_reason(
    server: EmbeddedServer, other: Bus, tenant: Tenant
) -> None:
    """Its owner shows that; before, it read nothing for ever and nobody knew."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(trader_actions(tenant), "typed SET instead of PUBLISH")
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    with pytest.raises(TaskFailed, match="WRONGTYPE"):
        await _next(reader)
    await reader.close()


async def test_out_of_memory_a_new_reader_reads(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """Redis lets a group read then, but not make one: halts and cancels must come through."""
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.xgroup_create(trader_actions(tenant), GROUP, "0", mkstream=True)
        await client.xadd(trader_actions(tenant), {"data": "one"})
        await client.config_set("maxmemory", 1)
        reader = bus.request_reader(tenant, consumer="EXECUTOR")
        assert (await _next(reader)).raw == b"one"
        await reader.close()


async def test_the_journal_of_requests_is_registered_again_and_again(
    server: EmbeddedServer, other: Bus, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is found after Redis has lost the index alone."""
    monkeypatch.setattr(reader_module, "REGISTER_EVERY_S", 0.1)
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    async with redis.asyncio.Redis.from_url(server.url) as client, asyncio.timeout(60):
        for _ in range(2):
            while not await client.zcard(journals_index(tenant)):
                await asyncio.sleep(0.01)
            await client.delete(journals_index(tenant))
    await reader.close()


async def test_where_there_is_no_journal_nothing_waits(
    server: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant
) -> None:
    """Redis may have lost it: that ends no reading, and requests come again once there are some."""
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    await bus.requests.send(tenant, ORDER)
    await _next(reader)
    assert (await reader.backlog()).unfinished == 1
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(trader_actions(tenant))
    assert (await reader.backlog()).unfinished == 0
    request_id = await bus.requests.send(tenant, ORDER)
    assert parse_request((await _next(reader)).raw).request_id == request_id
    await reader.close()
