"""The control plane's client."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio

from millrace_bus import Bus, CommandRefused, EmbeddedServer, HaltNote, HaltScope
from millrace_bus.connection.address import Address
from millrace_bus.connection.command_pool import CommandPool, _Pauses
from millrace_bus.connection.reconnecting import RETRIES
from millrace_core.names import AgentId, Tenant

WRITES: dict[str, Callable[[Bus, Tenant], Awaitable[object]]] = {
    "put": lambda bus, tenant: bus.put_config(AgentId(tenant), "{}"),
    "replace": lambda bus, tenant: bus.replace_config(AgentId(tenant), None, b"{}"),
    "halt": lambda bus, tenant: bus.halts.set(tenant, HaltScope(), HaltNote(1)),
    "end heartbeat": lambda bus, tenant: bus.end_heartbeat(AgentId(tenant), 1),
}


async def ends_by_cancellation(client: CommandPool, turns: int) -> bool:
    """Cancel a command after so many turns of the loop; tell whether it ended by that, or was done before."""
    call = asyncio.ensure_future(client.call("SET", "key", 1))
    for _ in range(turns):
        await asyncio.sleep(0)
    asked = call.cancel()
    await asyncio.wait({call})
    return call.cancelled() or not asked


async def test_a_cancellation_is_never_swallowed(server: EmbeddedServer) -> None:
    """Wherever a command is when it is cancelled, from connecting to its answer, it ends as cancelled."""
    for turns in range(1, 60):
        client = CommandPool(Address.parse(server.url), "test")
        assert await ends_by_cancellation(client, turns), turns
        await client.close()


def test_the_pause_stays_bounded_for_ever() -> None:
    """After thousands of failures in a row it is still at most the limit, and no number overflows."""
    pauses = _Pauses()
    assert all(0 <= pauses.compute(failures) <= RETRIES.limit_s for failures in (0, 1, 10, 1_100, 1_000_000))


@pytest.mark.parametrize("write", WRITES)
async def test_what_redis_refuses_is_our_error(killable: EmbeddedServer, bus: Bus, tenant: Tenant, write: str) -> None:
    """A Redis that is read only refuses every write in the same typed way."""
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.execute_command("REPLICAOF", "127.0.0.1", killable.port)
        with pytest.raises(CommandRefused, match="READONLY") as refused:
            await WRITES[write](bus, tenant)
        assert refused.value.code == "READONLY"
        await client.execute_command("REPLICAOF", "NO", "ONE")
    await WRITES[write](bus, tenant)
