"""Two hundred clients on one busy book, some of which never read."""

import asyncio
import itertools
import json
import socket
from typing import Any

import psutil
import pytest

from millrace_api.live import client as live_client
from millrace_core.market import BookDelta

CLIENTS, STALLED = 200, 20
ROUNDS, PER_ROUND = 30, 20
FULL_BYTES = 100_000
"""Instead of 1 MB, to get there sooner."""
PADDING = [[5.0 - level / 1_000, 1.0] for level in range(50)]


async def test_stalled_clients_cost_the_others_nothing(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """180 clients get every message in order; 20 that never read cost no more memory than the bound, and are let go."""
    monkeypatch.setattr("millrace_api.live.socket.FULL_BYTES", FULL_BYTES)
    token = await api.token(tenant, "read")
    book.book.apply(PADDING, [], None)
    book.writer.delta(_delta(book))
    stalled = [await _stalled(api, token, str(book.name)) for _ in range(STALLED)]
    readers = [await connect(token) for _ in range(CLIENTS - STALLED)]
    for reader in readers:
        reader.is_whole = False
        reader.say(op="subscribe", stream=str(book.name))
    for reader in readers:
        await reader.until(lambda reader=reader: reader.of_type("snapshot"))
    sizes = []
    for _ in range(ROUNDS):
        for _ in range(PER_ROUND):
            last = str(book.writer.delta(_delta(book)))
        await asyncio.gather(*(_received(reader, last) for reader in readers))
        for reader in readers:
            _check_whole(reader.received)
            del reader.received[:-1]
        sizes.append(psutil.Process().memory_info().rss)
    assert api.services.metrics.gauges()["liveConflated"] > 0
    assert max(sizes) - sizes[len(sizes) // 3] < STALLED * 4 * FULL_BYTES
    monkeypatch.setattr(live_client, "STALLED_S", 0.0)
    async with asyncio.timeout(60):
        while api.services.metrics.gauges()["liveClients"] > CLIENTS - STALLED:
            await asyncio.sleep(0.05)
    for connection in stalled:
        connection.close()


_prices = itertools.count()


def _delta(book: Any) -> BookDelta:
    changed = [(price, 1.0 + next(_prices) % 7) for price, _ in PADDING]
    book.book.apply(changed, [], None)
    return BookDelta(changed, [])


async def _received(reader: Any, last: str) -> None:
    await reader.until(lambda: reader.received[-1]["id"] == last)


def _check_whole(received: list[dict[str, Any]]) -> None:
    seqs = [int(each["id"].split("-")[1]) for each in received if each["type"] in ("delta", "snapshot")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def _stalled(api: Any, token: str, stream: str) -> socket.socket:
    """Connect, subscribe, and never read."""
    connection = socket.create_connection(("127.0.0.1", api.server.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.sendall(
        b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    await asyncio.to_thread(connection.recv, 4)
    command = json.dumps({"op": "subscribe", "stream": stream}).encode()
    # A masked text frame; a mask of zeros changes nothing.
    connection.sendall(bytes([0x81, 0x80 | len(command)]) + bytes(4) + command)
    return connection
