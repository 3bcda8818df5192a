"""One client's connection: the limits that it lives under."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from millrace_simulator.streaming.connection import ClientConnection, ConnectionRules
from millrace_simulator.streaming.frames import text_frame


@dataclass
class Peer:
    """Both ends of one connection."""

    server: ClientConnection
    client: aiohttp.ClientWebSocketResponse


Connect = Callable[[ConnectionRules], Awaitable[Peer]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function that connects a client which answers no ping to a server that echoes."""
    opened: asyncio.Queue[ClientConnection] = asyncio.Queue()
    rules = ConnectionRules()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        connection = ClientConnection(rules)
        response = await connection.open(request)
        opened.put_nowait(connection)
        await connection.listen(lambda text: connection.send(text_frame(text.encode())), limit_messages=True)
        return response

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:

        async def _connect(wanted: ConnectionRules) -> Peer:
            nonlocal rules
            rules = wanted
            client = await session.ws_connect(f"ws://{host}:{port}/", autoping=False)
            return Peer(await opened.get(), client)

        yield _connect
    await runner.cleanup()


async def test_what_one_turn_sends_arrives_in_order(connect: Connect) -> None:
    """Frames queued together are whole messages in the order of sending."""
    peer = await connect(ConnectionRules())
    for number in range(5):
        peer.server.send(text_frame(str(number).encode()))
    assert [await peer.client.receive_str() for _ in range(5)] == ["0", "1", "2", "3", "4"]


async def test_a_ping_is_answered_with_its_payload(connect: Connect) -> None:
    """The client's own pings get their pongs."""
    peer = await connect(ConnectionRules())
    await peer.client.ping(b"hello")
    message = await peer.client.receive()
    assert (message.type, message.data) == (WSMsgType.PONG, b"hello")


async def test_a_client_that_answers_pings_stays(connect: Connect) -> None:
    """A pong with the ping's payload keeps the connection alive beyond the timeout."""
    peer = await connect(ConnectionRules(ping_interval_s=0.02, pong_timeout_s=0.1, inbound_per_s=1e6))
    for _ in range(10):
        message = await peer.client.receive()
        assert message.type is WSMsgType.PING
        await peer.client.pong(message.data)
    assert not peer.client.closed


async def test_an_unsolicited_pong_does_not_save_a_client(connect: Connect) -> None:
    """Only a pong that carries a ping's payload counts as its answer."""
    peer = await connect(ConnectionRules(ping_interval_s=0.01, pong_timeout_s=0.05, inbound_per_s=1e6))
    while (message := await peer.client.receive()).type is WSMsgType.PING:
        await peer.client.pong(b"")
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)


async def test_a_silent_client_is_cut_off_where_clients_ping(connect: Connect) -> None:
    """Each message of the client begins the time anew; without any the connection ends."""
    peer = await connect(ConnectionRules(ping_interval_s=None, idle_timeout_s=0.05, inbound_per_s=1e6))
    for _ in range(3):
        await asyncio.sleep(0.03)
        await peer.client.send_str("x")
        assert (await peer.client.receive()).type is WSMsgType.TEXT
    message = await peer.client.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)


async def test_too_many_messages_end_the_connection(connect: Connect) -> None:
    """A client beyond its allowance is notified and disconnected."""
    peer = await connect(ConnectionRules(inbound_per_s=0.0, inbound_burst=3.0))
    for _ in range(4):
        await peer.client.send_str("x")
    answers = [await peer.client.receive() for _ in range(4)]
    assert [answer.type for answer in answers] == [WSMsgType.TEXT] * 3 + [WSMsgType.CLOSE]
    assert answers[-1].data == 1008


async def test_a_connection_ends_at_its_age(connect: Connect) -> None:
    """However lively, a connection lives no longer than the rules say."""
    peer = await connect(ConnectionRules(lifetime_s=0.02))
    message = await peer.client.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)


async def test_a_client_that_does_not_read_is_cut_off(connect: Connect) -> None:
    """Once its backlog exceeds the bound the connection is dropped, so that it never fills the memory."""
    peer = await connect(ConnectionRules(max_backlog=1 << 20))
    frame = text_frame(b"x" * (1 << 20))
    for _ in range(64):
        peer.server.send(frame)
        await asyncio.sleep(0)
    received = 0
    while (await peer.client.receive()).type is WSMsgType.TEXT:
        received += 1
    assert received < 64
