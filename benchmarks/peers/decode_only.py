"""The minimum of a feed handler: receive by picows, decode by msgspec, and forget, or journal and publish what came.

python -m benchmarks.peers.decode_only EXCHANGE_URL SYMBOL,SYMBOL [REDIS_URL]
"""

import sys
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.peers.counting import Counter
from benchmarks.peers.lean_stack import Redis, connected

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Feed(WSListener):
    """Decodes and counts; with a connection to Redis, passes each message on by one write and reads the replies."""

    def __init__(self, counter: Counter, redis: Redis | None) -> None:
        self._counter = counter
        self._redis = redis

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one message."""
        if frame.msg_type == WSMsgType.TEXT:
            payload = frame.get_payload_as_bytes()
            stream = _decode(payload)["stream"]
            if self._redis is not None:
                self._redis.publish(stream, payload)
            self._counter.count()


async def main(exchange: str, symbols: str, redis_url: str | None = None) -> None:
    """Read until the process ends."""
    counter = Counter()
    counter.listen()
    redis = None if redis_url is None else await connected(redis_url, _ignore)
    markets = [symbol.replace("/", "").lower() for symbol in symbols.split(",")]
    streams = "/".join(f"{market}@{kind}" for market in markets for kind in ("depth@100ms", "trade"))
    url = exchange.replace("http", "ws") + f"/stream?streams={streams}"
    transport, _ = await ws_connect(lambda: Feed(counter, redis), url)
    await transport.wait_disconnected()


def _ignore(_: bytes) -> None:
    """Take a message that nobody asked for."""


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
