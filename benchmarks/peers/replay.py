"""An exchange that sends frames encoded in advance, more than its clients can take: it costs next to nothing.

python -m benchmarks.peers.replay SYMBOL,SYMBOL BOOKS

It prints its addresses as JSON. Until SIGUSR1, and again from SIGUSR2 on, it sends ten messages a second of each
stream; in between 3,200 of each book and 12,800 of each symbol's trades, or what the client takes if that is less. Each
connection begins with the first message. REST requests are answered by a simulator whose market stands still, so that
this message always follows the book and the trades that it shows. The process ends when a stream has no more messages.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from benchmarks.peers.frames import Pieces, encoded
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import serve

SLOWLY_S, FAST_S = 0.1, 0.02
"""The pauses between two pieces of a stream."""
EXHAUSTED = 3
"""The exit code once a stream has no more messages."""


class Connection(WSListener):
    """Sends what a client subscribes to."""

    def __init__(self, streams: dict[str, Pieces], fast: asyncio.Event) -> None:
        self._streams = streams
        self._fast = fast
        self._sending: list[Iterator[bytes]] = []
        self._is_writable = asyncio.Event()
        self._is_writable.set()
        self._task: asyncio.Task[None] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a wish to subscribe."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        wish = json.loads(frame.get_payload_as_bytes())
        transport.send(WSMsgType.TEXT, json.dumps({"result": None, "id": wish["id"]}).encode())
        if wish["method"] == "SUBSCRIBE":
            self._sending += [iter(self._streams[name]) for name in wish["params"]]
        if self._task is None:
            self._task = asyncio.create_task(self._send(transport))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Wait for the client."""
        self._is_writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_writable.set()

    async def _send(self, transport: WSTransport) -> None:
        while True:
            for pieces in self._sending:
                if (piece := next(pieces, None)) is None:
                    os._exit(EXHAUSTED)
                transport.underlying_transport.write(piece)
            await asyncio.sleep(FAST_S if self._fast.is_set() else SLOWLY_S)
            await self._is_writable.wait()


async def main(symbols: str, number: str) -> None:
    """Serve until the process ends."""
    fast = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, fast.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, fast.clear)
    async with await serve(SimulatorConfig(limits=Limits(enforce=False), book_levels=0), drive_market=False) as still:
        streams: dict[str, Pieces] = {}
        for symbol in symbols.split(","):
            streams |= encoded(still.venue.instruments[symbol.replace("/", "")], int(number))
        server = await ws_create_server(lambda _: Connection(streams, fast), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"base": still.url, "sockets": f"ws://127.0.0.1:{port}/ws"}), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
