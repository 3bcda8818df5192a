"""The line to an exchange, which passes everything on until a test wants otherwise."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSMsgType, web


class Line:
    """Relays requests and sockets."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.treat: Callable[[str], list[str]] = lambda frame: [frame]
        """What becomes of a frame from the exchange; an empty list loses it."""
        self.refusal: tuple[int, dict[str, str]] | None = None
        """Status and headers of the answer to every attempt to open a socket; None opens it."""
        self.attempts = self.sockets = 0
        """How many sockets were asked for, and opened."""
        self.replace: Callable[[str, bytes], bytes] = lambda path, body: body
        """What becomes of the body of an answer to a request that is no socket."""
        self.sent: list[str] = []
        """Everything that was sent over sockets."""
        self.open: list[web.WebSocketResponse] = []
        self._target = target
        self.muted: set[web.WebSocketResponse] = set()
        """Sockets over which nothing comes any more; pings are answered all the same."""
        self._delays: dict[web.WebSocketResponse, float] = {}

    def delay(self, socket: web.WebSocketResponse, delay_s: float) -> None:
        """Let frames of a socket arrive so much later."""
        self._delays[socket] = delay_s

    async def cut(self) -> None:
        """Break every socket."""
        await asyncio.gather(*(socket.close(code=1012) for socket in list(self.open)))

    async def say(self, frame: str) -> None:
        """Send a frame of our own over the oldest socket."""
        await self.open[0].send_str(frame)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, of either kind."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.attempts += 1
            if self.refusal is not None:
                return web.Response(status=self.refusal[0], headers=self.refusal[1])
            return await self._relay(request)
        async with (
            aiohttp.ClientSession(self._target) as session,
            session.request(
                request.method, request.rel_url, headers=request.headers, data=await request.read()
            ) as response,
        ):
            content_type = response.headers["Content-Type"].split(";")[0]
            body = self.replace(request.path_qs, await response.read())
            return web.Response(status=response.status, body=body, content_type=content_type)

    async def _relay(self, request: web.Request) -> web.WebSocketResponse:
        ours = web.WebSocketResponse(compress=False)
        await ours.prepare(request)
        self.sockets += 1
        self.open.append(ours)
        async with aiohttp.ClientSession(self._target) as session, session.ws_connect(request.rel_url) as theirs:
            down = asyncio.create_task(self._pass_down(theirs, ours))
            async for message in ours:
                assert message.type is WSMsgType.TEXT, message
                self.sent.append(message.data)
                await theirs.send_str(message.data)
            down.cancel()
            await asyncio.wait({down})
        self.open.remove(ours)
        return ours

    async def _pass_down(self, theirs: aiohttp.ClientWebSocketResponse, ours: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

        async def pass_late() -> None:
            while True:
                due, frame = await late.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not ours.closed:
                    await ours.send_str(frame)

        passing = asyncio.create_task(pass_late())
        try:
            async for message in theirs:
                for frame in () if ours in self.muted else self.treat(message.data):
                    late.put_nowait((loop.time() + self._delays.get(ours, 0.0), frame))
            while not late.empty():
                await asyncio.sleep(0)
            await ours.close()
        finally:
            passing.cancel()


@asynccontextmanager
async def line_to(target: str) -> AsyncIterator[Line]:
    """Open a line to a server."""
    line = Line(target)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", line.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    line.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield line
    await line.cut()
    await runner.cleanup()
