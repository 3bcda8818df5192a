"""Live connections of the console, to a real server that refuses every token."""

import asyncio
from typing import Any

import pytest

from millrace_console import live
from millrace_console.accounts import Account
from millrace_core.names import StreamName

REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_a_token_that_no_page_uses_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A revoked one would be tried for ever, and its connection kept."""
    monkeypatch.setattr(live, "_LINGER_S", 0.0)
    asked = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        writer.write(REFUSED)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        connections = live.Connections(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        account = Account("Ann", "x", "read", is_operator=False, token="revoked")
        with connections.of(account).watching(StreamName.parse("stream.Ann.binance.watchTrades.ETH/BTC")):
            await asyncio.wait_for(asked.wait(), 20)
            (trying,) = _tries()
        await asyncio.wait_for(asyncio.wait({trying}), 20)
        assert _tries() == []
        await connections.close()


async def test_an_ended_connection_leaves_its_successor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that left the former one earlier is forgotten there later than the last page."""
    connections = live.Connections("http://127.0.0.1:9")
    account = Account("Ann", "x", "read", is_operator=False, token="t")
    name = StreamName.parse("stream.Ann.binance.watchTrades.ETH/BTC")
    former = connections.of(account)
    all_forgotten = asyncio.Event()
    with former.watching(name):
        monkeypatch.setattr(live, "_LINGER_S", 0.1)
        with former.watching(name):
            pass
        asyncio.get_running_loop().call_later(0.11, all_forgotten.set)
        monkeypatch.setattr(live, "_LINGER_S", 0.0)
    while (successor := connections.of(account)) is former:
        await asyncio.sleep(0)
    with successor.watching(name):
        await all_forgotten.wait()
        assert connections.of(account) is successor
    await connections.close()


def _tries() -> list[asyncio.Task[Any]]:
    return [each for each in asyncio.all_tasks() if each.get_name() == "live Ann"]
