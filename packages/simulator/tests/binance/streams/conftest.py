"""A venue with its market streams on a real port, stepped by hand: nothing happens unless a test makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from millrace_simulator.binance.streams import ConnectionRules, add_stream_routes
from millrace_simulator.config import default_config
from millrace_simulator.market import Market
from millrace_simulator.venue import ManualClock, Venue

_MARK = "mark"
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "KCSUSDT")


class StreamClient:
    """A client of market streams that can tell what it was sent up to now."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def request(self, method: str, *params: object, request_id: object = 1) -> dict[str, Any]:
        """Return the answer to a request; nothing else may come before it."""
        await self.socket.send_json({"method": method, "params": list(params), "id": request_id})
        answer: dict[str, Any] = await self.socket.receive_json()
        return answer

    async def events(self) -> list[Any]:
        """Return everything that the server sent until now: it answers a request only after what it sent before."""
        await self.socket.send_json({"method": "GET_PROPERTY", "params": ["combined"], "id": _MARK})
        events: list[Any] = []
        while True:
            message = await self.socket.receive_json()
            if isinstance(message, dict) and message.get("id") == _MARK:
                return events
            events.append(message)


class Stand:
    """The venue, its market, and the way in for clients."""

    def __init__(self, venue: Venue, market: Market, clock: ManualClock, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.market = market
        self.clock = clock
        self.session = session
        self.url = ""
        self.runner: web.AppRunner | None = None

    async def shut_down(self) -> None:
        """End the server."""
        if self.runner is not None:
            await self.runner.cleanup()

    def pass_time(self, milliseconds: int) -> None:
        """Let so much time go by in steps of 10 ms, with all that the market does in it."""
        for _ in range(milliseconds // 10):
            self.market.step(self.clock.now_us() + 10_000)

    async def connect(self, path: str) -> StreamClient:
        """Return a client that opened this path."""
        return StreamClient(await self.session.ws_connect(self.url + path))


@pytest.fixture
def rules() -> ConnectionRules:
    """Return rules that no test's requests run into."""
    return ConnectionRules(inbound_burst=10_000.0)


@pytest.fixture
async def stand(rules: ConnectionRules) -> AsyncIterator[Stand]:
    """Return a venue of three symbols whose market does 700 things a second, of the time that tests let pass."""
    config = default_config()
    clock = ManualClock()
    symbols = [rules for rules in config.symbols if rules.symbol in _SYMBOLS]
    venue = Venue(symbols, config.accounts, clock=clock, seed=7)
    market = Market(venue, seed=7, events_per_second=700)
    market.open()
    app = web.Application()
    add_stream_routes(app, venue, depth_interval_ms=100, rules=rules)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        stand = Stand(venue, market, clock, session)
        stand.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        stand.runner = runner
        yield stand
        await stand.shut_down()
