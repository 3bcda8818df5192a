"""A book whose frames carry numbers that ccxt does not look at: a lost one is found, and the book is right again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from millrace_bus import Bus, Follower, Update
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant

pytestmark = pytest.mark.usefixtures("gatherer")

MARKET, SYMBOL = "KCS-USDT", "KCS/USDT"
TOPIC = f"/market/level2:{MARKET}"
LISTING = {
    "symbol": MARKET,
    "name": MARKET,
    "baseCurrency": "KCS",
    "quoteCurrency": "USDT",
    "feeCurrency": "USDT",
    "market": "USDS",
    "baseMinSize": "0.1",
    "quoteMinSize": "0.1",
    "baseMaxSize": "10000000000",
    "quoteMaxSize": "99999999",
    "baseIncrement": "0.0001",
    "quoteIncrement": "0.0001",
    "priceIncrement": "0.001",
    "priceLimitRate": "0.1",
    "minFunds": "0.1",
    "isMarginEnabled": False,
    "enableTrading": True,
    "feeCategory": 1,
    "makerFeeCoefficient": "1.00",
    "takerFeeCoefficient": "1.00",
    "st": False,
}


class Kucoin:
    """One market of an exchange that speaks KuCoin's protocol: a token, a book by REST, its increments by WebSocket."""

    def __init__(self) -> None:
        self.url = ""
        self.sequence = 1_000
        self.sides: dict[str, dict[float, float]] = {"bids": {10.0: 1.0}, "asks": {20.0: 1.0}}
        self.lose = 0
        """Number of the next increments that are dropped."""
        self.sockets = 0
        """How many were ever opened."""
        self._random = Random(7)
        self._subscribers: set[web.WebSocketResponse] = set()

    async def trade(self) -> None:
        """Change the book until cancelled."""
        while True:
            frame = json.dumps(self._change())
            self.lose, lost = max(0, self.lose - 1), self.lose > 0
            for socket in () if lost else tuple(self._subscribers):
                await socket.send_str(frame)
            await asyncio.sleep(0.01)

    def _change(self) -> dict[str, Any]:
        side = self._random.choice(("bids", "asks"))
        price = self._random.randint(1, 9) + (0.0 if side == "bids" else 10.0)
        amount = float(self._random.randint(0, 3))
        self.sequence += 1
        self.sides[side][price] = amount
        if not amount:
            del self.sides[side][price]
        changes = {"bids": [], "asks": [], side: [[str(price), str(amount), str(self.sequence)]]}
        data = {"sequenceStart": self.sequence, "sequenceEnd": self.sequence, "symbol": MARKET, "changes": changes}
        return {"type": "message", "topic": TOPIC, "subject": "trade.l2update", "data": {**data, "time": 1}}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.path == "/endpoint":
            return await self._serve(request)
        if request.path.endswith("/bullet-public"):
            server = {"endpoint": f"{self.url.replace('http', 'ws')}/endpoint", "pingInterval": 18_000}
            return _ok({"token": "token", "instanceServers": [server]})
        if "/orderbook/level2" in request.path:
            levels = {side: [[str(p), str(a)] for p, a in held.items()] for side, held in self.sides.items()}
            return _ok({"time": 1, "sequence": str(self.sequence), **levels})
        return _ok([LISTING] if request.path.endswith("/symbols") else [])

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets += 1
        await socket.send_json({"id": "1", "type": "welcome"})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._take(socket, message.json())
        self._subscribers.discard(socket)
        return socket

    async def _take(self, socket: web.WebSocketResponse, wish: dict[str, Any]) -> None:
        if wish["type"] == "unsubscribe":
            self._subscribers.discard(socket)
        await socket.send_json({"id": wish["id"], "type": "pong" if wish["type"] == "ping" else "ack"})
        if wish["type"] == "subscribe" and wish["topic"] == TOPIC:
            self._subscribers.add(socket)


def _ok(data: Any) -> web.Response:
    return web.json_response({"code": "200000", "data": data})


@pytest.fixture
async def kucoin() -> AsyncIterator[Kucoin]:
    """A busy exchange."""
    kucoin = Kucoin()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", kucoin.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kucoin.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    trading = asyncio.create_task(kucoin.trade())
    yield kucoin
    trading.cancel()
    await asyncio.wait({trading})
    await runner.cleanup()


class BookReader:
    """Reads the book, and compares each state with the exchange's own of the same number."""

    def __init__(self, bus: Bus, kucoin: Kucoin) -> None:
        self.statuses: list[tuple[str, str | None]] = []
        self.compared = 0
        self.wrong: list[int] = []
        self._kucoin = kucoin
        self._arrived = asyncio.Event()
        name = StreamName(Tenant("PUBLIC"), ExchangeId("kucoin"), Action("watchOrderBook"), Symbol(SYMBOL))
        self.follower: Follower = bus.follow(name, self._take)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something that was read makes it true."""
        async with asyncio.timeout(60):
            while not holds():
                self._arrived.clear()
                await self._arrived.wait()

    def _take(self, update: Update) -> None:
        if update.kind == "status":
            self.statuses.append((update.data.status, update.data.reason))
        if update.trusted and update.state.book.nonce == self._kucoin.sequence:
            self._compare(update.state.book)
        self._arrived.set()

    def _compare(self, book: Any) -> None:
        self.compared += 1
        if {"bids": dict(book.bids.levels()), "asks": dict(book.asks.levels())} != self._kucoin.sides:
            self.wrong.append(book.nonce)


@pytest.fixture
async def reader(bus: Bus, kucoin: Kucoin) -> AsyncIterator[BookReader]:
    """A reader of the book, the gatherer configured to take it."""
    plan = {"tenant": "PUBLIC", "exchangeId": "kucoin", "assetPairs": [SYMBOL], "dataPoints": ["watchOrderBook"]}
    exchanges = {"PUBLIC": {"kucoin": {"urls": {"base": kucoin.url}, "adapter": "ccxt"}}}
    config = {"agent": {"id": "GATHERER"}, "exchanges": exchanges, "workplans": [plan]}
    await bus.put_config(AgentId("GATHERER"), json.dumps(config))
    reader = BookReader(bus, kucoin)
    yield reader
    await reader.follower.close()


async def test_a_frame_that_was_skipped_makes_the_book_stale_until_it_is_right_again(
    kucoin: Kucoin, reader: BookReader
) -> None:
    """The book is taken again by a snapshot alone, over the connection that stands; no wrong one is live."""
    await reader.until(lambda: reader.compared > 5)
    assert kucoin.sockets == 1
    for _ in range(2):
        stale, kucoin.lose = len([s for s, _ in reader.statuses if s == "stale"]), 1
        await reader.until(lambda n=stale: len([s for s, _ in reader.statuses if s == "stale"]) > n)
        await reader.until(lambda: reader.statuses[-1][0] == "live")
        compared = reader.compared
        await reader.until(lambda n=compared: reader.compared > n + 5)
    assert all("expected frame" in (why or "") for status, why in reader.statuses if status == "stale" and why)
    assert kucoin.sockets == 1
    assert reader.wrong == []
