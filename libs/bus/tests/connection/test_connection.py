"""One connection to a real server."""

import asyncio

import pytest

from millrace_bus import Disconnected, EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection, connect, pack
from millrace_bus.errors import CommandRefused
from millrace_core.names import Tenant


async def _connect(server: EmbeddedServer, db: int = 0) -> Connection:
    return await connect(Address("127.0.0.1", server.port, db=db), "test connection")


async def test_calls_are_answered_in_order(server: EmbeddedServer, tenant: Tenant) -> None:
    """Each caller gets its own reply, whatever else is under way."""
    connection = await _connect(server)
    numbers = await asyncio.gather(*(connection.call("INCR", tenant) for _ in range(50)))
    assert numbers == list(range(1, 51))
    assert await connection.call("CLIENT", "GETNAME") == b"test-connection"
    connection.abort()


async def test_an_error_of_redis_is_raised(server: EmbeddedServer) -> None:
    """With its code apart."""
    connection = await _connect(server)
    with pytest.raises(CommandRefused, match="unknown command") as caught:
        await connection.call("NONSENSE")
    assert caught.value.code == "ERR"
    connection.abort()


async def test_a_database_is_chosen(server: EmbeddedServer, tenant: Tenant) -> None:
    """Keys of one database are not seen in another."""
    connection, elsewhere = await _connect(server), await _connect(server, db=1)
    await connection.call("SET", tenant, 1)
    assert await elsewhere.call("GET", tenant) is None
    connection.abort()
    elsewhere.abort()


async def test_a_lost_connection_ends_every_wait(killable: EmbeddedServer) -> None:
    """Who waits for a reply, and who calls later, gets `Disconnected`; the connection says that it is lost."""
    connection = await _connect(killable)
    waiting = asyncio.ensure_future(connection.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0)
    await killable.kill()
    with pytest.raises(Disconnected):
        await waiting
    assert connection.lost.done()
    with pytest.raises(Disconnected):
        await connection.call("PING")


async def test_replies_may_be_ignored(server: EmbeddedServer, tenant: Tenant) -> None:
    """A reply without a waiter does not affect the others."""
    connection = await _connect(server)
    connection.send(pack("SET", tenant, "x") + pack("NONSENSE"), (None, None))
    assert await connection.call("GET", tenant) == b"x"
    connection.abort()
