"""The peer of the tick-to-trade benchmark: picows + redis-py + aiohttp, three processes as plain as can be.

python -m benchmarks.peers.stack feed|strategy|orders REDIS_URL EXCHANGE_URL MARKET PRICE
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
import redis.asyncio as redis_asyncio
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

KEY, SECRET = "peer-key", b"peer-secret"


class Feed(WSListener):
    """Passes each depth message on to Redis."""

    def __init__(self, redis: Any, channel: str) -> None:
        self._redis = redis
        self._channel = channel
        self._sends: set[asyncio.Task[Any]] = set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Publish what changed."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        event = json.loads(frame.get_payload_as_bytes())
        delta = {side: [[float(p), float(q)] for p, q in event[side[0]]] for side in ("bids", "asks")}
        raw = json.dumps({"data": delta, "nonce": event["u"]})
        send = asyncio.ensure_future(self._publish(raw))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _publish(self, raw: str) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xadd(self._channel, {"data": raw}, maxlen=10_000, approximate=True)
        pipeline.publish(self._channel, raw)
        await pipeline.execute()


async def feed(redis: Any, exchange: str, market: str) -> None:
    """Exchange to Redis."""
    url = exchange.replace("http", "ws") + f"/ws/{market.lower()}@depth@100ms"
    transport, _ = await ws_connect(lambda: Feed(redis, "peer.feed"), url)
    await transport.wait_disconnected()


async def strategy(redis: Any, price: str) -> None:
    """Redis to Redis: each change of the best bid becomes a request."""
    async with redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe("peer.feed")
        async for message in channel.listen():
            bids = [level for level in json.loads(message["data"])["data"]["bids"] if level[1]]
            if bids:
                request = json.dumps({"amount": max(bids)[1], "price": price})
                pipeline = redis.pipeline(transaction=False)
                pipeline.xadd("peer.requests.journal", {"data": request}, maxlen=10_000, approximate=True)
                pipeline.publish("peer.requests", request)
                await pipeline.execute()


async def orders(redis: Any, exchange: str, market: str) -> None:
    """Redis to exchange, several orders at once."""
    sends: set[asyncio.Task[None]] = set()
    async with (
        aiohttp.ClientSession(exchange, headers={"X-MBX-APIKEY": KEY}) as http,
        redis.pubsub(ignore_subscribe_messages=True) as channel,
    ):
        await channel.subscribe("peer.requests")
        async for message in channel.listen():
            send = asyncio.ensure_future(_order(http, market, json.loads(message["data"])))
            sends.add(send)
            send.add_done_callback(sends.discard)


async def _order(http: aiohttp.ClientSession, market: str, request: dict[str, Any]) -> None:
    query = urlencode(
        {
            "symbol": market,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "IOC",
            "quantity": f"{request['amount']:.5f}",
            "price": request["price"],
            "timestamp": int(time.time() * 1000),
        }
    )
    signature = hmac.new(SECRET, query.encode(), hashlib.sha256).hexdigest()
    async with http.post("/api/v3/order", data=f"{query}&signature={signature}") as answer:
        await answer.read()


async def main(part: str, redis_url: str, exchange: str, market: str, price: str) -> None:
    """Be one of the three processes."""
    redis: Any = redis_asyncio.Redis.from_url(redis_url, protocol=3, max_connections=1_000)
    parts = {
        "feed": lambda: feed(redis, exchange, market),
        "strategy": lambda: strategy(redis, price),
        "orders": lambda: orders(redis, exchange, market),
    }
    await parts[part]()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
