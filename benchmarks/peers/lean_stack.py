"""The leanest peer of the tick-to-trade benchmark: picows, a hiredis protocol at both ends of Redis, and picows.

python -m benchmarks.peers.lean_stack feed|strategy|orders REDIS_URL EXCHANGE_URL MARKET PRICE
"""

import asyncio
import hashlib
import hmac
import sys
import time
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
import uvloop
from hiredis import Reader, pack_command
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

KEY, SECRET = "lean-key", b"lean-secret"
_FEED, _REQUESTS = "lean.feed", "lean.requests"
_encode: Final = msgspec.json.Encoder().encode


class Depth(msgspec.Struct, frozen=True, gc=False):
    """A change of a book."""

    u: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class Delta(msgspec.Struct, frozen=True, gc=False):
    """The same in Redis."""

    nonce: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Request(msgspec.Struct, frozen=True, gc=False):
    """An order to place."""

    amount: float


_depth: Final = msgspec.json.Decoder(Depth, strict=False).decode
_delta: Final = msgspec.json.Decoder(Delta).decode
_request: Final = msgspec.json.Decoder(Request).decode


class Redis(asyncio.Protocol):
    """A connection whose replies nobody waits for."""

    def __init__(self, on_message: Callable[[bytes], None]) -> None:
        self._reader = Reader()
        self._on_message = on_message
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass the messages of the channel on."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, list) and reply[0] == b"message":
                self._on_message(reply[2])

    def subscribe(self, channel: str) -> None:
        """Follow a channel; nothing else can be sent then."""
        self._write(pack_command(("SUBSCRIBE", channel)))

    def publish(self, channel: str, raw: bytes) -> None:
        """Write a message to a journal and a channel."""
        journal = ("XADD", f"{channel}.journal", "MAXLEN", "~", "10000", "*", "data", raw)
        self._write(pack_command(journal) + pack_command(("PUBLISH", channel, raw)))

    def _write(self, commands: bytes) -> None:
        assert self._transport is not None
        self._transport.write(commands)


class Feed(WSListener):
    """Passes each depth message on to Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Publish what changed."""
        if frame.msg_type is WSMsgType.TEXT:
            event = _depth(frame.get_payload_as_bytes())
            self._redis.publish(_FEED, _encode(Delta(event.u, event.b, event.a)))


class Orders(WSListener):
    """Places orders, and reads no answer."""

    def __init__(self, market: str, price: str) -> None:
        self._market, self._price = market, price
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport

    def place(self, raw: bytes) -> None:
        """Place the order of a request."""
        params: dict[str, Any] = {
            "apiKey": KEY,
            "price": self._price,
            "quantity": f"{_request(raw).amount:.5f}",
            "side": "BUY",
            "symbol": self._market,
            "timeInForce": "IOC",
            "timestamp": time.time_ns() // 1_000_000,
            "type": "LIMIT",
        }
        query = "&".join(f"{name}={value}" for name, value in params.items())
        params["signature"] = hmac.new(SECRET, query.encode(), hashlib.sha256).hexdigest()
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, _encode({"id": 1, "method": "order.place", "params": params}))


async def connected(url: str, on_message: Callable[[bytes], None]) -> Redis:
    """Return a connection to Redis."""
    address = urlsplit(url)
    _, redis = await asyncio.get_running_loop().create_connection(
        lambda: Redis(on_message), address.hostname, address.port
    )
    return redis


def _ignore(_: bytes) -> None:
    """Take a message that nobody asked for."""


async def feed(url: str, exchange: str, market: str) -> None:
    """Exchange to Redis."""
    redis = await connected(url, _ignore)
    await ws_connect(lambda: Feed(redis), exchange.replace("http", "ws") + f"/ws/{market.lower()}@depth@100ms")


async def strategy(url: str) -> None:
    """Redis to Redis: each change of the best bid becomes a request."""
    publishing = await connected(url, _ignore)

    def decide(raw: bytes) -> None:
        if bids := [level for level in _delta(raw).bids if level[1]]:
            publishing.publish(_REQUESTS, _encode(Request(max(bids)[1])))

    (await connected(url, decide)).subscribe(_FEED)


async def orders(url: str, exchange: str, market: str, price: str) -> None:
    """Redis to exchange."""
    placing = Orders(market, price)
    await ws_connect(lambda: placing, exchange.replace("http", "ws") + "/ws-api/v3")
    (await connected(url, placing.place)).subscribe(_REQUESTS)


async def main(part: str, url: str, exchange: str, market: str, price: str) -> None:
    """Be one of the three processes, until it is ended."""
    if part == "feed":
        await feed(url, exchange, market)
    elif part == "strategy":
        await strategy(url)
    else:
        await orders(url, exchange, market, price)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
