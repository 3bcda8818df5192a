"""Micro-batching on a real connection."""

import asyncio
from typing import Any

from millrace_bus import Disconnected, EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection, connect, pack
from millrace_bus.connection.outbox import Outbox
from millrace_core.names import Tenant


class _Counting(Connection):
    """Counts how often it is written to."""

    writes = 0

    def send(self, commands: bytes, sinks: Any) -> None:
        self.writes += 1
        super().send(commands, sinks)


async def _connection(server: EmbeddedServer) -> _Counting:
    _, connection = await asyncio.get_running_loop().create_connection(_Counting, "127.0.0.1", server.port)
    return connection


async def test_one_turn_is_one_pipeline(server: EmbeddedServer, tenant: Tenant) -> None:
    """Whatever was put during a turn of the loop is written once, in order; each reply finds its sink."""
    connection, outbox, replies = await _connection(server), Outbox(), list[Any]()
    outbox.attach(connection)
    for _ in range(10):
        outbox.put(pack("INCR", tenant) + pack("PING"), (replies.append, None))
    assert connection.writes == 0
    await asyncio.sleep(0)
    assert connection.writes == 1
    await connection.call("PING")
    assert replies == list(range(1, 11))
    connection.abort()


async def test_what_was_collected_for_a_lost_connection_is_given_up(server: EmbeddedServer) -> None:
    """Its sinks get `Disconnected`; without a connection nothing is taken at all."""
    connection, outbox, replies = await connect(Address("127.0.0.1", server.port), "test"), Outbox(), list[Any]()
    outbox.put(pack("PING"), (replies.append,))
    outbox.attach(connection)
    outbox.put(pack("PING"), (replies.append,))
    connection.abort()
    await connection.lost
    outbox.detach()
    assert [type(reply) for reply in replies] == [Disconnected]
    assert not outbox.is_up
