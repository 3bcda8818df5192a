"""One connection to a real server."""

import asyncio

import pytest

from millrace_bus import Disconnected, EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Wire, connect, pack
from millrace_bus.errors import Refused
from millrace_core.names import Tenant


async def _connect(server: EmbeddedServer, db: int = 0) -> Wire:
    return await connect(Address("127.0.0.1", server.port, db=db), "test wire")


async def test_calls_are_answered_in_order(server: EmbeddedServer, tenant: Tenant) -> None:
    """Each caller gets its own reply, whatever else is under way."""
    wire = await _connect(server)
    numbers = await asyncio.gather(*(wire.call("INCR", tenant) for _ in range(50)))
    assert numbers == list(range(1, 51))
    assert await wire.call("CLIENT", "GETNAME") == b"test-wire"
    wire.abort()


async def test_an_error_of_redis_is_raised(server: EmbeddedServer) -> None:
    """With its code apart."""
    wire = await _connect(server)
    with pytest.raises(Refused, match="unknown command") as caught:
        await wire.call("NONSENSE")
    assert caught.value.code == "ERR"
    wire.abort()


async def test_a_database_is_chosen(server: EmbeddedServer, tenant: Tenant) -> None:
    """Keys of one database are not seen in another."""
    wire, elsewhere = await _connect(server), await _connect(server, db=1)
    await wire.call("SET", tenant, 1)
    assert await elsewhere.call("GET", tenant) is None
    wire.abort()
    elsewhere.abort()


async def test_a_lost_wire_tells_everyone(killable: EmbeddedServer) -> None:
    """Who waits for a reply, and who calls later, gets `Disconnected`; the wire says that it is lost."""
    wire = await _connect(killable)
    waiting = asyncio.ensure_future(wire.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0)
    await killable.kill()
    with pytest.raises(Disconnected):
        await waiting
    assert wire.lost.done()
    with pytest.raises(Disconnected):
        await wire.call("PING")


async def test_replies_may_be_ignored(server: EmbeddedServer, tenant: Tenant) -> None:
    """A reply that nobody takes disturbs no other."""
    wire = await _connect(server)
    wire.send(pack("SET", tenant, "x") + pack("NONSENSE"), (None, None))
    assert await wire.call("GET", tenant) == b"x"
    wire.abort()
