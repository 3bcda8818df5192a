"""Opening a WebSocket, where the other end does not keep to the order of things."""

import asyncio

import pytest
from picows import WSListener

from millrace_exchange.native.connecting import connected


@pytest.mark.parametrize("how", ["reset", "end"])
@pytest.mark.parametrize("read", [1, 4_096])
async def test_one_that_ends_during_the_handshake_was_never_open(how: str, read: int) -> None:
    """Nobody waits for answers over it: neither a listener nor its owner would ever learn of its end."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(read)
        writer.transport.abort() if how == "reset" else writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            with pytest.raises(OSError):
                await connected(WSListener(), f"ws://127.0.0.1:{port}/")
