"""A local server that plays one exchange's books, loses and doubles frames on purpose, and knows what is right."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, NamedTuple

from aiohttp import WSMsgType, web
from libs.exchange.tests.frames.market import BookState, Market

Frame = Any
"""What is sent over a socket: JSON, or bytes."""


class Faults(NamedTuple):
    """How often something goes wrong, per frame."""

    drop: float = 0.008
    double: float = 0.006
    swap: float = 0.006
    cut: float = 0.002
    old_snapshot: float = 0.3
    """Of the snapshots by REST."""


NO_FAULTS = Faults(0, 0, 0, 0, 0)


class Connection:
    """One socket of a client."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.topics: dict[str, Any] = {}
        """What it subscribed to, each with what the dialect remembers of it."""
        self.kept_state: BookState | None = None
        """The book as it was last sent, where not every change is."""
        self.sent = 0
        """How many numbered frames it got."""
        self.kept_back: list[Frame] = []
        """A frame that is swapped with the next."""

    async def send(self, frame: Frame) -> None:
        """Send a frame, unless the client is gone."""
        if self.socket.closed:
            return
        if isinstance(frame, bytes):
            await self.socket.send_bytes(frame)
        else:
            await self.socket.send_str(json.dumps(frame))


class Dialect:
    """One exchange's way; a file of its own each."""

    exchange: ClassVar[str]
    market_id: ClassVar[str] = "BTCUSDT"
    symbol: ClassVar[str] = "BTC/USDT"
    depth: ClassVar[int | None] = None
    """Levels a side that the stream has; None for the whole book."""
    is_numbered: ClassVar[bool] = True
    """Whether its frames are numbered. A checksum alone cannot tell a book of a moment ago from the newest one: where
    frames come in another order, which no connection does, an earlier book may be shown until the next."""
    market: ClassVar[dict[str, Any]] = {}
    """What ccxt's market has beyond the usual."""
    options: ClassVar[dict[str, Any]] = {}

    def rest(self, path: str, query: dict[str, str], state: BookState, url: str) -> Any:
        """Answer a request by REST, about the book as the exchange says it is."""
        return {}

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Return the answer to what a client sent: acknowledgements, a first book."""
        raise NotImplementedError

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return the frames of a change of the book; both are of `depth`."""
        raise NotImplementedError


class Player:
    """Plays one market in one dialect."""

    def __init__(self, dialect: Dialect, market: Market) -> None:
        self.dialect = dialect
        self.market = market
        self.faults = NO_FAULTS
        self.url = ""
        self.frames = 0
        """How many frames of changes there were."""
        self.injected = 0
        """How many faults."""
        self.connections: set[Connection] = set()

    async def move(self) -> None:
        """Change the book and tell the clients, with faults."""
        whole_before, whole_after = self.market.move()
        before, after = whole_before.best(self.dialect.depth), whole_after.best(self.dialect.depth)
        for connection in [known for known in self.connections if known.topics]:
            for frame in self.dialect.update(connection, before, after):
                self.frames += 1
                await self._play(connection, frame)

    async def _play(self, connection: Connection, frame: Frame) -> None:
        chance, faults = self.market.random.random(), self.faults
        kept, connection.kept_back = connection.kept_back, []
        if (chance := chance - faults.drop) < 0:
            frames = kept
        elif (chance := chance - faults.double) < 0:
            frames = [frame, frame, *kept]
        elif (chance := chance - faults.swap) < 0 and not kept:
            frames, connection.kept_back = [], [frame]
        elif chance - faults.cut < 0 and faults.cut:
            self.injected += 1
            await connection.socket.close()
            return
        else:
            chance, frames = 1.0, [frame, *kept]
        self.injected += chance < 0
        for ready in frames:
            await connection.send(ready)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve(request)
        state = self.market.state
        if self.market.random.random() < self.faults.old_snapshot:
            state = self.market.states[max(0, len(self.market.states) - self.market.random.randint(1, 40))]
        return web.json_response(self.dialect.rest(request.path, dict(request.query), state, self.url))

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket)
        self.connections.add(connection)
        for frame in self.dialect.receive(connection, {}, self.market.state.best(self.dialect.depth)):
            await connection.send(frame)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                state = self.market.state.best(self.dialect.depth)
                for frame in self.dialect.receive(connection, message.json(), state):
                    await connection.send(frame)
        self.connections.discard(connection)
        return socket


@asynccontextmanager
async def playing(dialect: Dialect, market: Market) -> AsyncIterator[Player]:
    """Run the server of one exchange."""
    player = Player(dialect, market)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", player.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    player.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield player
    finally:
        for connection in list(player.connections):
            await connection.socket.close()
        await asyncio.wait_for(runner.cleanup(), 5)


def texts(levels: Any) -> list[list[str]]:
    """Return levels as pairs of texts."""
    return [[f"{price:.1f}", f"{amount:.3f}" if amount else "0"] for price, amount in levels]
