"""Clients that send without end, too slowly, or do not read."""

import asyncio
import socket
from typing import Any

import pytest

from millrace_serving.connections import Connection

LOG_IN = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        pytest.param(b"GET /", b"a" * 4_000, id="address"),
        pytest.param(HEALTH + b"X: ", b"a" * 4_000, id="header"),
        pytest.param(HEALTH, b"X: a\r\n" * 1_000, id="headers"),
        pytest.param(b"", b"\r\n" * 2_000, id="blank lines"),
        pytest.param(LOG_IN + b"Transfer-Encoding: chunked\r\n\r\n2;x=", b"a" * 4_000, id="extension"),
        pytest.param(LOG_IN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n" * 1_000, id="trailers"),
    ],
)
async def test_what_has_no_end_is_not_read(api: Any, begun: bytes, piece: bytes) -> None:
    """A stranger's bytes that are no body are few: uvicorn copies them again with each that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(begun)
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionError):
            for _ in range(1_000):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
    writer.transport.abort()
    del reader


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEALTH, id="half a head"),
        pytest.param(LOG_IN + b"Content-Length: 9\r\n\r\n{", id="half a body"),
        pytest.param(HEALTH + b"Content-Length: 9\r\n\r\n", id="no body"),
        pytest.param(HEALTH + b"\r\n" + HEALTH, id="half a second head"),
    ],
)
async def test_a_request_that_does_not_come_is_not_awaited(
    api: Any, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection ends."""
    monkeypatch.setattr("millrace_serving.connections.RECEIVE_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionError):
            while await reader.read(1_000):
                pass
            raise ConnectionResetError
    writer.transport.abort()


async def test_an_answer_that_nobody_reads_is_dropped(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is free again, without a token as with one."""
    monkeypatch.setattr("millrace_serving.connections.STALLED_S", 0.1)
    connection = socket.create_connection(("127.0.0.1", api.server.port))
    address = connection.getsockname()
    connection.sendall((b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n") * 60)
    open_now = api.server._http.server_state.connections
    async with asyncio.timeout(20):
        while not any(each.client == address for each in open_now):
            await asyncio.sleep(0.01)
        while any(each.client == address for each in open_now):
            await asyncio.sleep(0.01)
    connection.close()


async def test_silent_connections_make_room(api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of strangers who send nothing end; a question under way goes on."""
    monkeypatch.setattr("millrace_serving.connections.MOST_CONNECTIONS", 10)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Any:
        begun.set()
        await go_on.wait()
        raise TimeoutError

    monkeypatch.setattr(api.services.questions, "_whole", slow)
    async with api.client(await api.token(tenant, "read")) as client, asyncio.timeout(30):
        asked = asyncio.create_task(client.get("/api/v1/tickers"))
        await begun.wait()
        silent = [await asyncio.open_connection("127.0.0.1", api.server.port) for _ in range(50)]
        ended = [await reader.read(1) for reader, _ in silent[:30]]
        go_on.set()
        assert (await asked).status_code == 500
        assert ended == [b""] * 30
        for _, writer in silent:
            writer.transport.abort()


async def test_answers_are_sent_at_once(api: Any) -> None:
    """On asyncio's own loop too: no piece waits until the client has acknowledged the piece before it."""
    async with api.client() as client:
        assert (await client.get("/health")).status_code == 200
        connections = [each for each in api.server._http.server_state.connections if isinstance(each, Connection)]
        sockets = [each.transport.get_extra_info("socket") for each in connections]
        assert sockets
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets)
