"""A flood of messages on many sockets leaves the event loop to others."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import CcxtExchange, open_ccxt_exchange
from millrace_exchange.ccxt.turns import TURN_S

SOCKETS, FRAMES = 10, 200
COST_S = 0.001
"""How long handling a message takes."""


@pytest.fixture
async def flood() -> AsyncIterator[str]:
    """The URL of a server that sends many frames at once to everybody who connects, until they leave."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        for number in range(FRAMES):
            await socket.send_str(f'{{"number":{number}}}')
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def exchange() -> AsyncIterator[CcxtExchange]:
    """An exchange to which nothing is sent."""
    opened = await open_ccxt_exchange("binance", Credentials())
    yield opened
    await opened.close()


async def test_messages_are_handled_in_turns(exchange: CcxtExchange, flood: str) -> None:
    """The loop turns in between, however many sockets there are; every message is handled once, in order."""
    ccxt: Any = exchange.caller.ccxt
    numbers: dict[str, list[int]] = {}
    all_handled = asyncio.Event()

    def handle(client: Any, message: Any) -> None:
        time.sleep(COST_S)
        numbers.setdefault(client.url, []).append(message["number"])
        if sum(map(len, numbers.values())) == SOCKETS * FRAMES:
            all_handled.set()

    ccxt.open()
    for number in range(SOCKETS):
        client = ccxt.client(f"{flood}/{number}")
        client.on_message_callback = handle
        client.connect(ccxt.session)
    in_one_turn: list[int] = []
    while not all_handled.is_set():
        before = sum(map(len, numbers.values()))
        await asyncio.sleep(0)
        in_one_turn.append(sum(map(len, numbers.values())) - before)
    assert all(each == list(range(FRAMES)) for each in numbers.values())
    # What fits into a turn, and some frames of each socket that were read already.
    assert max(in_one_turn) <= TURN_S / COST_S + 20 * SOCKETS
