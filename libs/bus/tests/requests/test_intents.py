"""The ledger on a real server."""

import asyncio

import pytest
import redis.asyncio

from millrace_bus import Bus, CommandRefused, EmbeddedServer, Fence
from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Tenant, intents_key

KUCOIN = ExchangeId("kucoin")


async def _lease(bus: Bus, tenant: Tenant) -> Fence:
    token = (await bus.leases.take(tenant, "A")).token
    assert token is not None
    return Fence(tenant, token)


async def test_a_request_is_claimed_once(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """Of all who claim, one gets None and the others what that one wrote."""
    fence = await _lease(bus, tenant)
    request_id = new_request_id()
    claims = await asyncio.gather(
        *(
            side.intents.claim(fence, KUCOIN, request_id, b"%d" % number)
            for number, side in enumerate((bus, other, bus, other))
        )
    )
    winner = claims.index(None)
    assert [claim for claim in claims if claim is not None] == [b"%d" % winner] * 3


async def test_the_same_claim_again_is_ones_own(bus: Bus, tenant: Tenant) -> None:
    """A claim that is tried again because its answer was lost succeeds."""
    fence = await _lease(bus, tenant)
    request_id = new_request_id()
    assert await bus.intents.claim(fence, KUCOIN, request_id, b"mine") is None
    assert await bus.intents.claim(fence, KUCOIN, request_id, b"mine") is None


async def test_a_request_is_claimed_in_one_ledger(server: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """Whichever account it names; a key of another kind in the place of a ledger changes nothing."""
    fence, request_id = await _lease(bus, tenant), new_request_id()
    await bus.intents.claim(fence, KUCOIN, request_id, b"first")
    others = [ExchangeId("broken"), KUCOIN]
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(intents_key(tenant, others[0]), b"no hash")
    binance = ExchangeId("binance")
    assert await bus.intents.claim(fence, binance, request_id, b"second", others=others) == b"first"
    assert await bus.intents.all(tenant, binance) == {}
    assert await bus.intents.claim(fence, binance, new_request_id(), b"second", others=others) is None


async def test_outcomes_are_written_and_removed(bus: Bus, tenant: Tenant) -> None:
    """What is settled stands in the place of the intent; what is removed may be claimed again."""
    fence = await _lease(bus, tenant)
    one, two = new_request_id(), new_request_id()
    await bus.intents.claim(fence, KUCOIN, one, b"pending")
    await bus.intents.settle(fence, KUCOIN, (one, b"done"))
    await bus.intents.claim(fence, KUCOIN, two, b"pending")
    assert await bus.intents.all(tenant, KUCOIN) == {one: b"done", two: b"pending"}
    await bus.intents.remove(tenant, KUCOIN, one)
    await bus.intents.remove(tenant, KUCOIN)
    assert await bus.intents.get(tenant, KUCOIN, one) is None
    assert await bus.intents.claim(fence, KUCOIN, one, b"new") is None


async def test_who_lost_the_lease_writes_nothing(bus: Bus, tenant: Tenant) -> None:
    """A claim and a settlement under an older token are refused, however they are sent."""
    old = await _lease(bus, tenant)
    request_id = new_request_id()
    await bus.intents.claim(old, KUCOIN, request_id, b"pending")
    await bus.leases.release(old)
    assert (await bus.leases.take(tenant, "B")).token is not None
    with pytest.raises(CommandRefused, match="FENCED"):
        await bus.intents.claim(old, KUCOIN, new_request_id(), b"late")
    with pytest.raises(CommandRefused, match="FENCED"):
        await bus.intents.settle(old, KUCOIN, (request_id, b"done"))
    assert await bus.intents.all(tenant, KUCOIN) == {request_id: b"pending"}


async def test_the_ledger_of_no_account_is_forgotten(server: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """It expires, unless an account begins to use it."""
    fence = await _lease(bus, tenant)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await bus.intents.claim(fence, KUCOIN, new_request_id(), b"x", expires_ms=60_000)
        assert 0 < await client.pttl(intents_key(tenant, KUCOIN)) <= 60_000
        await bus.intents.claim(fence, KUCOIN, new_request_id(), b"x")
        assert await client.pttl(intents_key(tenant, KUCOIN)) == -1
        await bus.intents.claim(fence, KUCOIN, new_request_id(), b"x", expires_ms=60_000)
        assert await client.pttl(intents_key(tenant, KUCOIN)) == -1


async def test_scripts_that_redis_forgot_are_loaded_again(server: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """Nothing that calls one notices."""
    fence = await _lease(bus, tenant)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.script_flush()
    assert await bus.intents.claim(fence, KUCOIN, new_request_id(), b"x") is None
