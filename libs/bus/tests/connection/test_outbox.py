"""Micro-batching on a real connection."""

import asyncio
from typing import Any

from millrace_bus import Disconnected, EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Wire, connect, pack
from millrace_bus.connection.outbox import Outbox
from millrace_core.names import Tenant


class _Counting(Wire):
    """Counts how often it is written to."""

    writes = 0

    def send(self, commands: bytes, sinks: Any) -> None:
        self.writes += 1
        super().send(commands, sinks)


async def _wire(server: EmbeddedServer) -> _Counting:
    _, wire = await asyncio.get_running_loop().create_connection(_Counting, "127.0.0.1", server.port)
    return wire


async def test_one_turn_is_one_pipeline(server: EmbeddedServer, tenant: Tenant) -> None:
    """Whatever was put during a turn of the loop is written once, in order; each reply finds its sink."""
    wire, outbox, replies = await _wire(server), Outbox(), list[Any]()
    outbox.attach(wire)
    for _ in range(10):
        outbox.put(pack("INCR", tenant) + pack("PING"), (replies.append, None))
    assert wire.writes == 0
    await asyncio.sleep(0)
    assert wire.writes == 1
    await wire.call("PING")
    assert replies == list(range(1, 11))
    wire.abort()


async def test_what_was_collected_for_a_lost_wire_is_told(server: EmbeddedServer) -> None:
    """Its sinks get `Disconnected`; without a wire nothing is taken at all."""
    wire, outbox, replies = await connect(Address("127.0.0.1", server.port), "test"), Outbox(), list[Any]()
    outbox.put(pack("PING"), (replies.append,))
    outbox.attach(wire)
    outbox.put(pack("PING"), (replies.append,))
    wire.abort()
    await wire.lost
    outbox.detach()
    assert [type(reply) for reply in replies] == [Disconnected]
    assert not outbox.is_up
