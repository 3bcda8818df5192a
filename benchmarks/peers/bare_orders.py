"""The peers of the benchmark of orders: one order after the other, by picows and by ccxt, as plain as can be."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import ccxt.pro
import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

SYMBOL: Final = "KCS/USDT"
MARKET: Final = "KCSUSDT"
PRICE: Final = "5"
"""Far below the market: nothing must fill."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class BareSocket(WSListener):
    """One socket to Binance's WebSocket API, one request at a time."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, secret.encode()
        self._transport: WSTransport | None = None
        self._answer: asyncio.Future[dict[str, Any]] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take an answer."""
        if frame.msg_type is WSMsgType.TEXT and self._answer is not None:
            self._answer.set_result(_decode(frame.get_payload_as_bytes()))

    async def place(self) -> None:
        """Place one order."""
        params: dict[str, Any] = {
            "apiKey": self._key,
            "price": PRICE,
            "quantity": "1",
            "side": "BUY",
            "symbol": MARKET,
            "timeInForce": "IOC",
            "timestamp": time.time_ns() // 1_000_000,
            "type": "LIMIT",
        }
        query = "&".join(f"{name}={value}" for name, value in params.items())
        params["signature"] = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.send(WSMsgType.TEXT, _encode({"id": 1, "method": "order.place", "params": params}))
        answer = await self._answer
        assert answer["status"] == 200, answer


@asynccontextmanager
async def bare_socket(exchange: str, key: str, secret: str) -> AsyncIterator[BareSocket]:
    """Connect, for as long as the context lasts."""
    socket = BareSocket(key, secret)
    transport, _ = await ws_connect(lambda: socket, exchange.replace("http", "ws") + "/ws-api/v3")
    try:
        yield socket
    finally:
        transport.disconnect()


@asynccontextmanager
async def bare_ccxt(exchange: str, key: str, secret: str) -> AsyncIterator[Any]:
    """Return ccxt's client with its markets loaded, for as long as the context lasts; it waits for no limit."""
    client: Any = ccxt.pro.binance(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False},
        }
    )
    api: dict[str, Any] = client.urls["api"]
    api |= dict.fromkeys(("public", "private", "v3"), f"{exchange}/api/v3")
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()
