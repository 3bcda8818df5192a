"""Leases on a real server."""

import asyncio
import time

import redis.asyncio

from millrace_bus import Bus, EmbeddedServer, Fence
from millrace_bus.requests.lease import LEASE_MS
from millrace_core.names import Tenant, lease_key


async def test_one_of_all_gets_the_lease(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """The others are told how long it lasts."""
    replies = await asyncio.gather(
        *(side.leases.take(tenant, f"{number}") for number, side in enumerate((bus, other, bus, other)))
    )
    assert len([reply for reply in replies if reply.token is not None]) == 1
    assert all(0 < reply.left_ms <= LEASE_MS for reply in replies if reply.token is None)


async def test_a_lease_is_renewed_by_its_token(bus: Bus, tenant: Tenant) -> None:
    """Another process of the same name, without the token, does not renew it."""
    first = await bus.leases.take(tenant, "A")
    assert (await bus.leases.take(tenant, "A", first.token)).token == first.token
    assert (await bus.leases.take(tenant, "A")).token is None


async def test_a_lease_that_is_left_is_free_at_once(bus: Bus, tenant: Tenant) -> None:
    """The next token is larger, and the former holder gets it only as anybody else."""
    first = await bus.leases.take(tenant, "A")
    await bus.leases.release(Fence(tenant, first.token))
    second = await bus.leases.take(tenant, "B")
    assert second.token > first.token
    assert (await bus.leases.take(tenant, "A", first.token)).token is None
    await bus.leases.release(Fence(tenant, first.token))
    assert (await bus.leases.take(tenant, "A", first.token)).token is None


async def test_a_lease_that_is_not_renewed_ends(bus: Bus, tenant: Tenant) -> None:
    """It is free once its time is over, on the server's clock; a holder that is late renews one that nobody took."""
    first = await bus.leases.take(tenant, "A")
    begun = time.monotonic()
    while (reply := await bus.leases.take(tenant, "B")).token is None:
        await asyncio.sleep(reply.left_ms / 1000)
    assert time.monotonic() - begun < LEASE_MS / 1000 + 1
    assert reply.token > first.token


async def test_no_lease_ends_later_than_one_that_is_taken_now(server: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """The server's clock was set back by an hour after it was written: others need not wait for that."""
    first = await bus.leases.take(tenant, "A")
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.hset(lease_key(tenant), "until", first.server_ms + 3_600_000)
        reply = await bus.leases.take(tenant, "B")
        ends_ms = int(await client.hget(lease_key(tenant), "until"))
    assert (reply.token, ends_ms) == (None, reply.server_ms + LEASE_MS)
    assert reply.left_ms == LEASE_MS


async def test_a_token_grows_through_the_loss_of_all_data(server: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """A holder that asks first goes on under its token; who takes it otherwise gets a larger one."""
    first = await bus.leases.take(tenant, "A")
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(lease_key(tenant))
        kept = await bus.leases.take(tenant, "A", first.token)
        assert (kept.token, kept.born_ms >= first.born_ms) == (first.token, True)
        await client.delete(lease_key(tenant))
        taken = await bus.leases.take(tenant, "B")
    assert taken.token > first.token
    assert (await bus.leases.take(tenant, "A", first.token)).token is None
