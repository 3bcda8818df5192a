"""Halts on a real server."""

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId, Tenant, halt_key

KUCOIN = ExchangeId("kucoin")
STATE = HaltState().halted(HaltScope(), HaltNote(1, "stop", "Ann")).halted(HaltScope(KUCOIN), HaltNote(2))


async def test_halts_are_set_and_lifted_by_scope(bus: Bus, tenant: Tenant) -> None:
    """Each scope has its own note, and lifting one leaves the others."""
    await bus.halts.write(tenant, STATE)
    assert (await bus.halts.read(tenant)).state == STATE
    await bus.halts.write(tenant, resumed := STATE.resume(HaltScope(), 5))
    assert (await bus.halts.read(tenant)).state == resumed
    assert await bus.halts.get(tenant) == {HaltScope(KUCOIN): HaltNote(2)}


async def test_a_source_may_have_any_name(bus: Bus, tenant: Tenant) -> None:
    """Slashes and dots in it are read back."""
    scope = HaltScope(order_source="./James/Bond.")
    state = HaltState().halted(scope, HaltNote(1))
    await bus.halts.write(tenant, state)
    assert (await bus.halts.read(tenant)).state == state
    await bus.halts.write(tenant, state.resume(scope, 2))
    assert not await bus.halts.get(tenant)


async def test_a_halt_by_hand_halts(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A note that is no JSON is a reason, and it begins when it is read: an earlier resumption does not end it."""
    await bus.halts.write(tenant, STATE.resume(HaltScope(), 5))
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.hset(halt_key(tenant), "*/*", "stop it!")
    found = await bus.halts.read(tenant)
    later = HaltState().halted(HaltScope(), HaltNote(6)).resume(HaltScope(), 7)
    assert found.joined_to(later, 9).halts[HaltScope()] == HaltNote(9, "stop it!")
    assert found.joined_to(STATE, 9).halts[HaltScope()] == HaltNote(9, "stop it!")
    assert (await bus.halts.get(tenant))[HaltScope()].reason == "stop it!"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"\xff/*", b"x"),
        (b"*/*", b"[" * 2_000),
        (b"*/*", b'{"since":1,"reason":"zastaven\xed"}'),
        (b"*/*", b'{"since":9999999999999999999}'),
    ],
)
async def test_a_halt_that_cannot_be_read_halts(
    bus: Bus, server: EmbeddedServer, tenant: Tenant, field: bytes, value: bytes
) -> None:
    """Whatever its bytes are, somebody wants it stopped."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.hset(halt_key(tenant), field, value)
        for resumed in (b"9" * 5_000, b"9" * 19):
            await client.hset(halt_key(tenant), b"." + field, resumed)
            (found,) = (await bus.halts.get(tenant)).values()
            assert found.since < 2**63


async def test_a_key_of_halts_that_is_no_hash_halts_everything(
    bus: Bus, server: EmbeddedServer, tenant: Tenant
) -> None:
    """A typed SET instead of HSET stops the tenant as well."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(halt_key(tenant), "STOP")
    assert list(await bus.halts.get(tenant)) == [HaltScope()]
