"""An exchange of a hundred symbols that sends a steady number of messages, each of which says when it was sent.

python -m benchmarks.peers.paced MESSAGES_PER_SECOND

It prints its address as JSON and sends from SIGUSR1 on, to each connection what that has subscribed to. Two messages in
three are changes of a book, the third is a trade in one of ten symbols, whose price is the time of sending: the last
twelve digits of the wall clock's µs. REST requests are answered by a simulator whose market stands still and whose
symbols are the same.
"""

import asyncio
import json
import signal
import sys
import time
from collections import defaultdict
from decimal import Decimal
from itertools import cycle
from random import Random

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import serve
from millrace_simulator.streaming.frames import text_frame
from millrace_simulator.venue.rules import SymbolRules

SYMBOLS = 100
TRADED = 10
"""The symbols that have trades: to ask for those of all at once weighs more than the exchange allows in a minute."""
LEVELS = 20
"""Changed by each message of a book."""
PRICE_MODULUS = 10**12
_STEP_S = 0.002


def symbol(number: int) -> str:
    """Return the name of a market."""
    return f"C{number:02d}USDT"


class Connection(WSListener):
    """A client, which is sent what it has subscribed to, as by a real exchange."""

    def __init__(self, sending: "Sending") -> None:
        self._sending = sending

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a request."""
        if frame.msg_type == WSMsgType.TEXT:
            request = json.loads(frame.get_payload_as_bytes())
            transport.send(WSMsgType.TEXT, json.dumps({"result": None, "id": request["id"]}).encode())
            for stream in request["params"]:
                subscribers = self._sending.subscribers[stream.rpartition("@100ms")[0] or stream]
                (subscribers.add if request["method"] == "SUBSCRIBE" else subscribers.discard)(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Send nothing more."""
        for subscribers in self._sending.subscribers.values():
            subscribers.discard(transport)


class Sending:
    """The messages, one symbol after the other."""

    def __init__(self, first_update: int, first_trade: int) -> None:
        self.subscribers: defaultdict[str, set[WSTransport]] = defaultdict(set)
        """By the name of the stream: `c00usdt@depth`, `c00usdt@trade`."""
        self._books = cycle(symbol(number) for number in range(SYMBOLS))
        self._traded = cycle(symbol(number) for number in range(TRADED))
        self._updates = {symbol(number): first_update for number in range(SYMBOLS)}
        self._trades = {symbol(number): first_trade for number in range(SYMBOLS)}
        self._kinds = cycle("bbt")
        self._random = Random(7)

    async def run(self, per_second: int) -> None:
        """Send until cancelled."""
        loop = asyncio.get_running_loop()
        due, before = 0.0, loop.time()
        while True:
            await asyncio.sleep(_STEP_S)
            now = loop.time()
            due, before = due + (now - before) * per_second, now
            while due >= 1:
                due -= 1
                self._send_next()

    def _send_next(self) -> None:
        now_us = time.time_ns() // 1_000
        if next(self._kinds) == "t":
            name = next(self._traded)
            payload, kind = self._trade(name, now_us), "trade"
        else:
            name = next(self._books)
            payload, kind = self._book(name, now_us), "depth"
        frame = text_frame(payload)
        for transport in self.subscribers[f"{name.lower()}@{kind}"]:
            transport.underlying_transport.write(frame)

    def _book(self, name: str, now_us: int) -> bytes:
        first = self._updates[name] + 1
        self._updates[name] = last = first + LEVELS - 1
        prices = self._random.sample(range(100, 500), LEVELS)
        bids = ",".join(f'["{price / 1000:.3f}","{price}.5"]' for price in prices)
        numbers = f'"E":{now_us // 1000},"s":"{name}","U":{first},"u":{last}'
        return f'{{"e":"depthUpdate",{numbers},"b":[{bids}],"a":[]}}'.encode()

    def _trade(self, name: str, now_us: int) -> bytes:
        self._trades[name] += 1
        at_ms, price = now_us // 1000, now_us % PRICE_MODULUS
        return (
            f'{{"e":"trade","E":{at_ms},"s":"{name}","t":{self._trades[name]},"p":"{price}","q":"1","b":1,"a":2,'
            f'"T":{at_ms},"m":true,"M":true}}'
        ).encode()


def _rules(number: int) -> SymbolRules:
    return SymbolRules(
        symbol=symbol(number),
        base=f"C{number:02d}",
        quote="USDT",
        tick_size=Decimal("0.001"),
        lot_size=Decimal("0.01"),
        opening_price=Decimal("1.000"),
    )


async def main(per_second: str) -> None:
    """Serve until the process ends."""
    symbols = tuple(_rules(number) for number in range(SYMBOLS))
    config = SimulatorConfig(limits=Limits(enforce=False), symbols=symbols, book_levels=0)
    async with await serve(config, drive_market=False) as still:
        one = still.venue.instruments[symbol(0)]
        sending = Sending(one.last_update_id, one.engine.last_trade_id)
        server = await ws_create_server(lambda _: Connection(sending), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        begun = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, begun.set)
        print(json.dumps({"base": still.url, "sockets": f"ws://127.0.0.1:{port}/ws"}), flush=True)
        await begun.wait()
        await sending.run(int(per_second))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
