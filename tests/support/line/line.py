"""The line itself: one port for requests and sockets, and what a test may want of either."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from tests.support.line import requests
from tests.support.line.socket import Socket, Upstream


class Line:
    """Relays requests and sockets."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.treat: Callable[[str], str | Sequence[str] | None] = lambda frame: frame
        """What becomes of a text from the exchange: another, or several; None loses it."""
        self.replace: Callable[[str, bytes], bytes] = lambda path, body: body
        """What becomes of the body of an answer to a request, by its path and query."""
        self.refuse: Callable[[str], web.Response | None] = lambda _path: None
        """The answer to a request for a path that is not passed on; None passes it on."""
        self.refusal: tuple[int, dict[str, str]] | None = None
        """Status and headers of the answer to every attempt to open a socket; None opens it."""
        self.refusals = 0
        """Number of connections that are still cut off, as if no server listened yet."""
        self.is_down = False
        """Whether everything is cut off."""
        self.delay_s = 0.0
        """How long each text from the exchange takes, one after the other."""
        self.fragments = 1
        """How many fragments each text from the exchange takes."""
        self.attempts = self.sockets = 0
        """How many sockets were asked for, and opened."""
        self.requests: list[str] = []
        """The path of every request that was passed on, but for sockets."""
        self.sent: list[str] = []
        """Every text that was sent over sockets."""
        self.open: list[Socket] = []
        """The sockets, oldest first."""
        self.target = target
        self._late: dict[Socket, deque[str]] = {}
        """What is on its way over each socket, where each text takes its time."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def subscriptions(self) -> list[str]:
        """Return the names of all streams that were ever subscribed in Binance's way."""
        requests = [json.loads(text) for text in self.sent if '"SUBSCRIBE"' in text]
        return [name for request in requests for name in request["params"]]

    def delay(self, socket: Socket, delay_s: float) -> None:
        """Let what a socket brings arrive so much later."""
        socket.delay_s = delay_s

    async def cut(self) -> None:
        """End every socket."""
        for socket in list(self.open):
            socket.close()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Cut everything off for a while."""
        self.is_down = True
        await self.cut()
        yield
        self.is_down = False

    async def say(self, text: str) -> None:
        """Send a text of our own over the oldest socket."""
        self.open[0].say(text)

    async def answered(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        """Return the answer to a request that is no socket."""
        if (refusal := self.refuse(request.path)) is not None:
            return refusal
        self.requests.append(request.path)
        response = await requests.forward(session, self.target, request)
        if isinstance(response.body, bytes):
            response.body = self.replace(request.path_qs, response.body)
        return response

    def admits(self) -> bool:
        """Tell whether a new connection is let in."""
        is_cut_off = self.is_down or self.refusals > 0
        self.refusals = max(0, self.refusals - 1)
        return not is_cut_off

    def opened(self, socket: Socket) -> None:
        """Note a new socket."""
        self.sockets += 1
        self.open.append(socket)

    def passed(self, socket: Socket, text: str) -> Sequence[str]:
        """Return what arrives in place of a text from the exchange."""
        treated = self.treat(text)
        texts = [] if treated is None else [treated] if isinstance(treated, str) else treated
        if not self.delay_s and socket not in self._late:
            return texts
        if socket not in self._late:
            self._late[socket] = deque()
            task = asyncio.create_task(self._pass_late(socket))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._late[socket].extend(texts)
        return []

    def said(self, text: str) -> None:
        """Note a text from a client."""
        self.sent.append(text)

    def ended(self, socket: Socket) -> None:
        """Note that a socket has ended."""
        self.open.remove(socket)

    async def _pass_late(self, socket: Socket) -> None:
        late = self._late[socket]
        while late:
            await asyncio.sleep(self.delay_s)
            socket.say(late.popleft())
        del self._late[socket]


class _Arrival(asyncio.Protocol):
    """A new connection from a client: a socket, or a request that is passed on as it is."""

    def __init__(self, line: Line, requests_port: int) -> None:
        self._line, self._requests_port = line, requests_port
        self._received = b""
        self._to: Callable[[bytes], None] = self._take_head
        self._ends: Callable[[], None] = lambda: None
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection at once, or wait for what it wants."""
        # uvloop's are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if not self._line.admits():
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take data from the client."""
        self._to(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what it was connected to."""
        self._ends()

    def _take_head(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received and self._opening is None:
            is_socket = b"upgrade: websocket" in self._received.partition(b"\r\n\r\n")[0].lower()
            self._opening = asyncio.create_task(self._open_socket() if is_socket else self._open_request())

    async def _open_socket(self) -> None:
        line, transport = self._line, self._transport
        line.attempts += 1
        if line.refusal is not None:
            status, headers = line.refusal
            shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            transport.write(f"HTTP/1.1 {status} Refused\r\n{shown}Content-Length: 0\r\n\r\n".encode())
            transport.close()
            return
        socket = Socket(transport, line, self._received.split(b" ", 2)[1].decode())
        upstream = await self._connected(urlsplit(line.target).port, lambda: Upstream(socket))
        if upstream is None or transport.is_closing():
            transport.abort()
            return
        socket.upstream = upstream
        self._to, self._ends = socket.from_client, socket.lost
        line.opened(socket)
        upstream.write(self._received)

    async def _open_request(self) -> None:
        upstream = await self._connected(self._requests_port, lambda: _Back(self._transport))
        if upstream is None:
            self._transport.abort()
            return
        self._to, self._ends = upstream.write, upstream.close
        upstream.write(self._received)

    async def _connected(self, port: int | None, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport | None:
        try:
            upstream, _ = await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", port)
        except OSError:
            return None
        return upstream


class _Back(asyncio.Protocol):
    """Passes an answer back to the client."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        """Pass data back."""
        if not self._client.is_closing():
            self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the client's side too."""
        self._client.close()


@asynccontextmanager
async def served(line: Line) -> AsyncIterator[None]:
    """Serve a line on a free port."""
    async with aiohttp.ClientSession(auto_decompress=True) as session:

        async def answer(request: web.Request) -> web.StreamResponse:
            return await line.answered(request, session)

        runner, port = await requests.serve(answer)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Arrival(line, port), "127.0.0.1", 0)
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            await line.cut()
            await runner.cleanup()


@asynccontextmanager
async def line_to(target: str) -> AsyncIterator[Line]:
    """Open a line to a server."""
    line = Line(target)
    async with served(line):
        yield line
