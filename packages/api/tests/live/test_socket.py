"""The frames that the API writes."""

import asyncio
from typing import Any

import picows
import pytest
import uvloop

from millrace_api.live.socket import send_text

MESSAGES = [str(number).encode() * size for number, size in enumerate((10, 30_000, 10, 20_000, 9_000, 70_000, 10))]


class _Sender(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        for message in MESSAGES:
            send_text(transport, message)


class _Receiver(picows.WSListener):
    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.ended = asyncio.Event()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        transport.send(picows.WSMsgType.TEXT, b"go")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self.received.append(frame.get_payload_as_bytes())
        if len(self.received) == len(MESSAGES):
            self.ended.set()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.ended.set()


async def _exchanged() -> list[bytes]:
    # uvicorn hands connections of the event loop itself over, not of aiofastnet, which picows prefers.
    server = await picows.ws_create_server(lambda _: _Sender(), "127.0.0.1", 0, use_aiofastnet=False)
    port = server.sockets[0].getsockname()[1]
    transport, receiver = await picows.ws_connect(_Receiver, f"ws://127.0.0.1:{port}/")
    async with asyncio.timeout(10):
        await receiver.ended.wait()
    transport.disconnect()
    server.close()
    return receiver.received


def test_large_messages_that_are_sent_in_one_turn_arrive_whole() -> None:
    """Each has its own length, in the event loop that the service runs in."""
    assert uvloop.run(_exchanged()) == MESSAGES


async def test_frames_that_are_none_fill_no_log_and_end_their_connection(
    api: Any, tenant: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """However many follow the first, and though the client reads nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port, limit=1)
    token = await api.token(tenant, "read")
    writer.write(
        b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %b\r\n\r\n"
        % token.encode()
    )
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionError):
            while True:
                writer.write(b"\x81\x03{}}" * 1_000)
                await writer.drain()
                await asyncio.sleep(0)
    writer.transport.abort()
    del reader
    assert [record for record in caplog.records if record.name.startswith("millrace.live")] == []
