"""The minimum of a feed handler: receive by picows, decode by msgspec, forget.

python -m benchmarks.peers.decode_only EXCHANGE_URL SYMBOL,SYMBOL
"""

import sys
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.peers.counting import Counter

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Feed(WSListener):
    """Decodes and counts."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one message."""
        if frame.msg_type == WSMsgType.TEXT:
            _decode(frame.get_payload_as_bytes())
            self._counter.count()


async def main(exchange: str, symbols: str) -> None:
    """Read until the process ends."""
    counter = Counter()
    counter.listen()
    markets = [symbol.replace("/", "").lower() for symbol in symbols.split(",")]
    streams = "/".join(f"{market}@{kind}" for market in markets for kind in ("depth@100ms", "trade"))
    url = exchange.replace("http", "ws") + f"/stream?streams={streams}"
    transport, _ = await ws_connect(lambda: Feed(counter), url)
    await transport.wait_disconnected()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
