"""The server: one port for everything, free again when it closes."""

import asyncio
import socket

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from millrace_simulator.config import default_config
from millrace_simulator.server import serve
from millrace_simulator.venue import BookChange, Listener

SMALL = replace(default_config(), symbols=default_config().symbols[:1])
"""BTCUSDT alone: an exchange that starts at once."""


class _FirstChange(Listener):
    """Tells when a book changes."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()

    def on_book(self, change: BookChange) -> None:
        """A book changed."""
        self.seen.set()


async def test_one_port_serves_every_protocol() -> None:
    """REST, raw and combined streams and the WebSocket API share a port."""
    async with await serve(SMALL, drive_market=False) as server, ClientSession(server.url) as session:
        async with session.get("/api/v3/ping") as response:
            assert response.status == 200
        for path in ("/ws", "/ws/btcusdt@trade", "/stream?streams=btcusdt@trade", "/ws-api/v3"):
            async with session.ws_connect(path) as socket_:
                assert not socket_.closed


async def test_the_market_moves_by_itself() -> None:
    """A driven market changes its books."""
    config = replace(SMALL, events_per_second=2000)
    async with await serve(config) as server:
        change = _FirstChange()
        server.venue.listen(change)
        await asyncio.wait_for(change.seen.wait(), 5)


async def test_two_run_side_by_side() -> None:
    """Port 0 takes a free one each time, and the venues are apart."""
    async with await serve(SMALL) as first, await serve(SMALL) as second:
        assert first.port != second.port
        assert first.venue is not second.venue


async def test_a_taken_port_is_an_error() -> None:
    """Nothing is started on a port that another has."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(SMALL, port=taken.getsockname()[1])


async def test_the_port_is_free_after_closing() -> None:
    """Closing ends open streams at once and frees the port."""
    server = await serve(SMALL)
    async with ClientSession(server.url) as session, session.ws_connect("/ws/btcusdt@depth") as stream:
        await asyncio.wait_for(server.close(), 2)
        while not stream.closed:
            await stream.receive()
    again = await serve(SMALL, port=server.port, drive_market=False)
    await again.close()
