"""A local server that speaks Bybit's frames of contracts: an account's positions, and liquidations.

Source: bybit-exchange.github.io/docs/v5/websocket/private/position, …/public/all-liquidation, …/v5/position.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange

SYMBOL = "BTC/USDT:USDT"
_MARKET = {
    "id": "BTCUSDT",
    "symbol": SYMBOL,
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "settle": "USDT",
    "settleId": "USDT",
    "type": "swap",
    "spot": False,
    "swap": True,
    "contract": True,
    "linear": True,
    "inverse": False,
    "contractSize": 1.0,
    "active": True,
    "info": {},
    "precision": {"price": 0.1, "amount": 0.001},
}


class ContractVenue:
    """One account and one contract."""

    def __init__(self) -> None:
        self.url = ""
        self.held: list[dict[str, Any]] = []
        """What is answered to the question for positions."""
        self.topics: list[str] = []
        """What was subscribed, in order."""
        self._sockets: set[web.WebSocketResponse] = set()
        self._subscribed = asyncio.Event()

    async def subscribed(self, topic: str) -> None:
        """Wait until a topic is subscribed."""
        async with asyncio.timeout(60):
            while topic not in self.topics:
                self._subscribed.clear()
                await self._subscribed.wait()

    async def send(self, topic: str, *data: dict[str, Any]) -> None:
        """Send a frame to every client."""
        frame = {"topic": topic, "type": "snapshot", "ts": 1_700_000_000_000, "creationTime": 1, "data": list(data)}
        for socket in self._sockets:
            await socket.send_json(frame)

    async def cut(self) -> None:
        """Break every socket."""
        self.topics.clear()
        await asyncio.gather(*(socket.close() for socket in list(self._sockets)))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve(request)
        result = {"list": self.held if "position" in request.path else [], "nextPageCursor": "", "category": "linear"}
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "time": 1_700_000_000_000})

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and (asked := message.json()).get("op") in ("auth", "subscribe"):
                answer = {"success": True, "ret_msg": "", "conn_id": "1", "req_id": asked.get("req_id")}
                await socket.send_json({**answer, "op": asked["op"]})
                if asked["op"] == "subscribe":
                    self.topics += asked["args"]
                    self._subscribed.set()
        self._sockets.discard(socket)
        return socket


def position(size: str, side: str = "Buy", **more: Any) -> dict[str, Any]:
    """Return a position as Bybit sends it of an account in hedge mode."""
    return {
        "symbol": "BTCUSDT",
        "side": side if float(size) else "",
        "size": size,
        "positionIdx": 1 if side == "Buy" else 2,
        "tradeMode": 0,
        "entryPrice": "100",
        "avgPrice": "100",
        "leverage": "10",
        "markPrice": "101",
        "unrealisedPnl": "1",
        "updatedTime": "1700000000000",
        "createdTime": "1700000000000",
        "category": "linear",
        **more,
    }


def liquidation(size: str, price: str = "100") -> dict[str, Any]:
    """Return a liquidation as Bybit sends it."""
    return {"T": 1_700_000_000_000, "s": "BTCUSDT", "S": "Sell", "v": size, "p": price}


@asynccontextmanager
async def contract_venue() -> AsyncIterator[ContractVenue]:
    """Run the server."""
    venue = ContractVenue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield venue
    finally:
        await venue.cut()
        await runner.cleanup()


@asynccontextmanager
async def opened(venue: ContractVenue) -> AsyncIterator[Exchange]:
    """Open Bybit there, with its one market given instead of loaded."""
    options = {"defaultType": "swap", "enableUnifiedAccount": True, "enableUnifiedMargin": True}
    keys = Credentials(api_key="k", secret="s", urls={"base": venue.url}, options=options, adapter="ccxt")
    exchange: Any = await open_exchange("bybit", keys)
    ccxt = exchange.caller.ccxt
    ccxt.open()
    ccxt.set_markets([ccxt.safe_market_structure(_MARKET)])
    try:
        yield exchange
    finally:
        await exchange.close()
