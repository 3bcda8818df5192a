"""Commands that wait out any outage."""

import asyncio

import pytest

from millrace_bus import EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.calls import Calls, until_answered
from millrace_bus.connection.connection import Connection
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import CommandRefused


async def test_calls_wait_out_an_outage(killable: EmbeddedServer) -> None:
    """Replies come in order; what is asked during an outage is answered after it."""
    outbox = Outbox()

    async def attach(connection: Connection) -> None:
        outbox.attach(connection)

    reconnecting = ReconnectingConnection(Address.parse(killable.url), "test", on_up=attach, on_down=outbox.detach)
    calls = Calls(reconnecting, outbox)
    try:
        assert await asyncio.gather(*(calls.call("HINCRBY", "h", "f", 1) for _ in range(3))) == [1, 2, 3]
        with pytest.raises(CommandRefused, match="WRONGTYPE"):
            await calls.call("GET", "h")
        await killable.kill()
        asking = asyncio.create_task(calls.call("HSET", "h", "g", "there"))
        await asyncio.sleep(0.05)
        assert not asking.done()
        await killable.restart()
        async with asyncio.timeout(60):
            await asking
        assert await calls.call("HGET", "h", "g") == b"there"
    finally:
        await reconnecting.close()


async def test_a_server_that_is_loading_is_asked_again() -> None:
    """A refusal that passes by itself is waited out; another is raised."""
    answers = [CommandRefused("LOADING its data"), CommandRefused("WRONGTYPE of key")]

    async def ask() -> None:
        raise answers.pop(0)

    with pytest.raises(CommandRefused, match="WRONGTYPE"):
        await until_answered(ask)
    assert not answers
