"""Publishing requests on a real server."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_bus import (
    Bus,
    BusError,
    CommandRefused,
    EmbeddedServer,
    MessageTooLarge,
    RequestExpired,
    TooManyRequests,
)
from millrace_bus.requests import sender as sender_module
from millrace_core.clock import now_ms
from millrace_core.names import Tenant, trader_actions
from millrace_core.requests import LARGEST_REQUEST, CreateOrder, CreatePayload, parse_request

ORDER = CreateOrder(
    exchange_id="kucoin", payload=CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=1)
)


async def _sent(server: EmbeddedServer, tenant: Tenant) -> list[Any]:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        return [parse_request(fields[b"data"]) for _, fields in await client.xrange(trader_actions(tenant))]


async def test_a_request_stands_in_the_journal(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """It says that it does, is numbered by its own id, and its validity counts from when it was made."""
    before = now_ms()
    request_id = await bus.requests.send(tenant, ORDER)
    (sent,) = await _sent(server, tenant)
    assert sent.journaled
    assert sent.request_id == request_id
    assert before <= sent.requested_at <= now_ms()
    assert sent.payload == ORDER.payload


async def test_journal_and_channel_show_the_same_bytes(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A live listener of the channel sees what the journal holds."""
    async with redis.asyncio.Redis.from_url(server.url) as client, client.pubsub() as channel:
        await channel.subscribe(trader_actions(tenant))
        await channel.get_message(timeout=5)
        bus.requests.publish(tenant, ORDER)
        message = await channel.get_message(timeout=5)
        assert message is not None
        assert message["data"] == (await client.xrange(trader_actions(tenant)))[0][1][b"data"]


async def test_a_request_that_no_executor_takes_is_not_sent(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """Its sender is told at once; requests after it are sent."""
    large = msgspec.structs.replace(ORDER.payload, params={"note": "x" * LARGEST_REQUEST})
    with pytest.raises(MessageTooLarge, match="at most 65,536"):
        bus.requests.publish(tenant, msgspec.structs.replace(ORDER, payload=large))
    await bus.requests.send(tenant, ORDER)
    assert len(await _sent(server, tenant)) == 1


async def test_requests_go_out_in_order(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """The request published first comes first, although nothing waited for it."""
    ids = [bus.requests.publish(tenant, ORDER) for _ in range(50)]
    await bus.requests.all_acknowledged()
    assert [request.request_id for request in await _sent(server, tenant)] == ids


async def test_a_request_waits_for_redis(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """One that is published during an outage is sent when Redis is back, and keeps its time of making."""
    await bus.requests.send(tenant, ORDER)
    await killable.kill()
    request_id = bus.requests.publish(tenant, ORDER)
    made = now_ms()
    await killable.restart()
    async with asyncio.timeout(60):
        await bus.requests.all_acknowledged()
    sent = await _sent(killable, tenant)
    assert sent[-1].request_id == request_id
    assert sent[-1].requested_at <= made


async def test_what_redis_forgot_is_sent_again(
    killable: EmbeddedServer, bus: Bus, tenant: Tenant, forget_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that Redis had acknowledged and lost come again, in order; those that it kept do not."""
    ids = [await bus.requests.send(tenant, ORDER) for _ in range(2)]
    # Nor is a request older because the clock was set.
    in_an_hour_ns = time.time_ns() + 3_600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: in_an_hour_ns)
    ids.append(await bus.requests.send(tenant, ORDER))
    await killable.kill()
    await killable.restart()
    await bus.ready(10)
    assert [request.request_id for request in await _sent(killable, tenant)] == ids
    await forget_all(killable)
    last = await bus.requests.send(tenant, ORDER)
    assert [request.request_id for request in await _sent(killable, tenant)] == [*ids, last]


async def test_a_request_that_outlives_its_validity_in_an_outage_is_given_up(
    killable: EmbeddedServer, bus: Bus, tenant: Tenant
) -> None:
    """Its caller learns so though Redis is still away, and it is not sent any more when Redis is back."""
    short = msgspec.structs.replace(ORDER, valid_for=100)
    lost: list[tuple[str, BusError]] = []
    await bus.requests.send(tenant, ORDER)
    await killable.kill()
    async with asyncio.timeout(5):
        with pytest.raises(RequestExpired) as expired:
            await bus.requests.send(tenant, short)
        request_id = bus.requests.publish(tenant, short, on_lost=lambda *what: lost.append(what))
        await bus.requests.all_acknowledged()
    assert expired.value.request_id
    assert [(each, type(error)) for each, error in lost] == [(request_id, RequestExpired)]
    await killable.restart()
    await bus.requests.send(tenant, ORDER)
    assert len(await _sent(killable, tenant)) == 2


async def test_more_requests_than_can_be_kept_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, killable: EmbeddedServer, bus: Bus, tenant: Tenant
) -> None:
    """None of those that wait is dropped for another; what was taken is sent when Redis is back."""
    monkeypatch.setattr(sender_module, "MOST_KEPT", 3)
    await killable.kill()
    sends = [asyncio.create_task(bus.requests.send(tenant, ORDER)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        bus.requests.publish(tenant, ORDER)
    await killable.restart()
    async with asyncio.timeout(60):
        ids = await asyncio.gather(*sends)
        last = await bus.requests.send(tenant, ORDER)
    assert [request.request_id for request in await _sent(killable, tenant)] == [*ids, last]


async def test_what_was_acknowledged_before_a_long_outage_is_still_kept(
    monkeypatch: pytest.MonkeyPatch, killable: EmbeddedServer, bus: Bus, tenant: Tenant, forget_all: Any
) -> None:
    """Redis may return without its last second, after any outage and whatever was published during it."""
    monkeypatch.setattr(sender_module, "KEPT_NS", 0)
    first = await bus.requests.send(tenant, ORDER)
    await killable.kill()
    while bus.requests._outbox.is_up:
        await asyncio.sleep(0.01)
    second = bus.requests.publish(tenant, ORDER)
    await forget_all(killable)
    async with asyncio.timeout(60):
        await bus.requests.all_acknowledged()
        while [request.request_id for request in await _sent(killable, tenant)] != [first, second]:
            await asyncio.sleep(0.01)


async def test_a_request_that_is_given_up_while_the_journal_is_read_is_not_sent(
    killable: EmbeddedServer, bus: Bus, tenant: Tenant
) -> None:
    """Between meeting Redis and sending again its validity may end; its caller then knows that it is not sent."""
    await bus.requests.send(tenant, ORDER)
    await killable.kill()
    sending = asyncio.create_task(bus.requests.send(tenant, msgspec.structs.replace(ORDER, valid_for=50)))
    await asyncio.sleep(0)
    lost = [(out, sent) for out in bus.requests._tenants.values() for sent in out.sent if sent.entry_id is None]
    with pytest.raises(RequestExpired):
        await sending
    await killable.restart()
    await bus.ready(10)
    assert len(lost) == 1
    bus.requests.again(lost)
    await bus.requests.send(tenant, ORDER)
    assert len(await _sent(killable, tenant)) == 2


async def test_nothing_is_trimmed_that_no_executor_has_acknowledged(
    monkeypatch: pytest.MonkeyPatch, server: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant
) -> None:
    """A full journal takes nothing more, with a plain error; once requests are acknowledged it takes more again."""
    monkeypatch.setattr(sender_module, "RETENTION", 100)
    monkeypatch.setattr(sender_module, "CAPACITY", 300)
    ids = [bus.requests.publish(tenant, ORDER) for _ in range(299)]
    ids.append(await bus.requests.send(tenant, ORDER))
    with pytest.raises(CommandRefused, match="holds 300 requests that no executor has acknowledged"):
        await bus.requests.send(tenant, ORDER)
    assert [request.request_id for request in await _sent(server, tenant)] == ids
    reader = other.request_reader(tenant, consumer="EXECUTOR")
    arrived = [await anext(reader) for _ in ids]
    assert (await reader.backlog()).unfinished == 300
    with pytest.raises(CommandRefused):
        await bus.requests.send(tenant, ORDER)
    for each in arrived[:-1]:
        await reader.done(each)
    for _ in range(60):
        await bus.requests.send(tenant, ORDER)
    kept = [request.request_id for request in await _sent(server, tenant)]
    assert 100 <= len(kept) < 300
    assert ids[-1] in kept
    await reader.close()


async def test_a_full_journal_is_reported_to_who_does_not_wait(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, tenant: Tenant
) -> None:
    """`on_lost` is called with the reason."""
    monkeypatch.setattr(sender_module, "RETENTION", 1)
    monkeypatch.setattr(sender_module, "CAPACITY", 1)
    await bus.requests.send(tenant, ORDER)
    lost: asyncio.Future[BusError] = asyncio.get_running_loop().create_future()
    bus.requests.publish(tenant, ORDER, on_lost=lambda _id, error: lost.set_result(error))
    async with asyncio.timeout(10):
        assert "no executor has acknowledged" in str(await lost)
