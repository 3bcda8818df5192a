"""Halts on a real server."""

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer, HaltNote, HaltScope
from millrace_core.names import ExchangeId, Tenant, halt_key

BINANCE, KUCOIN = ExchangeId("binance"), ExchangeId("kucoin")


async def test_halts_are_set_and_lifted_by_scope(bus: Bus, tenant: Tenant) -> None:
    """Each scope has its own note, and lifting one leaves the others."""
    everything, kucoin, james = HaltScope(), HaltScope(KUCOIN), HaltScope(order_source="James/Bond")
    for scope in (everything, kucoin, james):
        await bus.halts.set(tenant, scope, HaltNote(1, f"because of {scope}", "Ann"))
    assert await bus.halts.clear(tenant, everything)
    assert not await bus.halts.clear(tenant, everything)
    assert await bus.halts.get(tenant) == {
        kucoin: HaltNote(1, "because of kucoin/*", "Ann"),
        james: HaltNote(1, "because of */James/Bond", "Ann"),
    }


async def test_a_halt_by_hand_halts(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A note that is no JSON is a reason."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.hset(halt_key(tenant), "*/*", "stop it!")
    assert await bus.halts.get(tenant) == {HaltScope(): HaltNote(0, "stop it!")}


def test_a_scope_covers_what_it_names() -> None:
    """No part means all of it."""
    assert HaltScope().covers(BINANCE, "James")
    assert HaltScope(BINANCE).covers(BINANCE, None)
    assert not HaltScope(BINANCE).covers(KUCOIN, "James")
    assert not HaltScope(BINANCE, "James").covers(BINANCE, "Ann")


@pytest.mark.parametrize(
    ("field", "value"), [(b"\xff/*", b"x"), (b"*/*", b"[" * 2_000), (b"*/*", b'{"since":1,"reason":"zastaven\xed"}')]
)
async def test_a_halt_that_cannot_be_read_halts(
    bus: Bus, server: EmbeddedServer, tenant: Tenant, field: bytes, value: bytes
) -> None:
    """Whatever its bytes are, somebody wants it stopped."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.hset(halt_key(tenant), field, value)
    assert len(await bus.halts.get(tenant)) == 1


async def test_a_key_of_halts_that_is_no_hash_halts_everything(
    bus: Bus, server: EmbeddedServer, tenant: Tenant
) -> None:
    """A typed SET instead of HSET stops the tenant as well."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(halt_key(tenant), "STOP")
    assert list(await bus.halts.get(tenant)) == [HaltScope()]


async def test_lifted_halts_differ_from_lost_ones(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """The mark outlives the last halt, and goes only with the whole key."""
    await bus.halts.set(tenant, HaltScope(), HaltNote(1))
    assert await bus.halts.clear(tenant, HaltScope())
    assert await bus.halts.read(tenant) == ({}, True)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(halt_key(tenant))
    assert await bus.halts.read(tenant) == ({}, False)
