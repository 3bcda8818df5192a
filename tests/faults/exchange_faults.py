"""A reverse proxy before the simulator that answers wrongly, late, or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from random import Random
from typing import Any, Final

import aiohttp
from aiohttp import web

from millrace_core.clock import now_ms

REFUSE_S: Final = 2
LATE_S: Final = 1.5
_HTML: Final = "<html><body>Bad gateway</body></html>"
_GARBLED: Final = (_HTML, "", "{}", "[]", "null", '{"code":', '"ok"', "\x1f\ufffd\x08\x00")
_PASSED_HEADERS: Final = ("Content-Type", "X-MBX-APIKEY", "User-Agent")
_RETRY: Final = {"Retry-After": str(REFUSE_S), "Content-Type": "application/json"}


class Fault(StrEnum):
    """What happens to one request."""

    LOST_BEFORE = "lost before"
    """The connection ends, and the exchange never gets the request."""
    LOST_AFTER = "lost after"
    """The exchange carries it out, and the connection ends without an answer."""
    HANGS = "hangs"
    """The exchange carries it out, and never answers."""
    LATE = "late"
    GARBLED = "garbled"
    """It is carried out, and the answer is HTML, empty, cut, or of another shape."""
    FOREIGN = "foreign"
    """It is carried out, and the answer is the one to another request."""
    FAILED_AFTER = "failed after"
    """It is carried out, and the answer says that the outcome is unknown."""
    LIMITED = "limited"
    """It is refused: too many requests."""
    BANNED = "banned"
    """It is refused: the address is banned for a while."""
    OVERLOADED = "overloaded"
    """It is refused: the exchange is overloaded."""


class FaultyExchange:
    """Passes everything on, and by chance does one of the faults to a request."""

    def __init__(self, to: str, random: Random) -> None:
        self._to = to
        self._random = random
        self.rate = 0.0
        """The share of requests to which something happens."""
        self.done: dict[str, int] = {}
        """How often each fault happened."""
        self._former: dict[bool, Any] = {}
        self._session: aiohttp.ClientSession | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen while the context lasts; return the address to use instead of the exchange's."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        async with aiohttp.ClientSession(self._to, auto_decompress=True) as self._session:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            for socket in self._sockets:
                await socket.close()
            await runner.cleanup()

    def _fault(self) -> Fault | None:
        if self._random.random() >= self.rate:
            return None
        fault = self._random.choice(list(Fault))
        self.done[fault] = self.done.get(fault, 0) + 1
        return fault

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        fault = self._fault()
        if (refusal := _refusal(fault)) is not None:
            status, body = refusal
            return web.Response(status=status, headers=_RETRY, text=json.dumps(body))
        if fault is Fault.LOST_BEFORE:
            return self._hung_up(request)
        status, body = await self._forward(request)
        return await self._answered(request, fault, status, body)

    async def _answered(self, request: web.Request, fault: Fault | None, status: int, body: str) -> web.StreamResponse:
        match fault:
            case Fault.LOST_AFTER:
                return self._hung_up(request)
            case Fault.HANGS:
                await asyncio.get_running_loop().create_future()
            case Fault.LATE:
                await asyncio.sleep(LATE_S)
            case Fault.GARBLED:
                return web.Response(text=self._random.choice((*_GARBLED, body[: len(body) // 2])))
            case Fault.FAILED_AFTER:
                return web.Response(status=503, text='{"code":-1007,"msg":"Timeout waiting for response from backend"}')
            case Fault.FOREIGN:
                return web.json_response(text=self._former.get(False, "{}"))
        if request.method == "POST":
            self._former[False] = body
        return web.json_response(text=body, status=status)

    async def _forward(self, request: web.Request) -> tuple[int, str]:
        assert self._session is not None
        headers = {name: request.headers[name] for name in _PASSED_HEADERS if name in request.headers}
        async with self._session.request(
            request.method, request.rel_url, data=await request.read() or None, headers=headers
        ) as answer:
            return answer.status, await answer.text()

    def _hung_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        assert self._session is not None
        client = web.WebSocketResponse()
        await client.prepare(request)
        self._sockets.add(client)
        async with self._session.ws_connect(request.rel_url) as server:
            faults: dict[Any, Fault] = {}
            there = asyncio.create_task(self._there(client, server, faults))
            back = asyncio.create_task(self._back(client, server, faults))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for way in (there, back):
                way.cancel()
            await asyncio.wait({there, back})
        self._sockets.discard(client)
        if request.transport is not None:
            request.transport.abort()
        return client

    async def _there(self, client: Any, server: Any, faults: dict[Any, Fault]) -> None:
        async for message in client:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            number, fault = json.loads(message.data).get("id"), self._fault()
            if (refusal := _refusal(fault)) is not None:
                status, error = refusal
                error["data"] = {"retryAfter": now_ms() + REFUSE_S * 1_000, "serverTime": now_ms()}
                await client.send_str(json.dumps({"id": number, "status": status, "error": error}))
                continue
            if fault is Fault.LOST_BEFORE:
                return
            if fault is not None:
                faults[number] = fault
            await server.send_str(message.data)

    async def _back(self, client: Any, server: Any, faults: dict[Any, Fault]) -> None:
        late: set[asyncio.Task[None]] = set()
        async for message in server:
            answer = json.loads(message.data)
            fault = faults.pop(answer.get("id"), None)
            if fault is Fault.LOST_AFTER:
                return
            if fault is Fault.LATE:
                late.add(asyncio.create_task(_later(client, message.data)))
            elif fault is not Fault.HANGS:
                await client.send_str(self._spoiled(message.data, answer, fault))
            if "orderId" in str(answer.get("result")):
                self._former[True] = answer["result"]

    def _spoiled(self, text: str, answer: dict[str, Any], fault: Fault | None) -> str:
        if fault is Fault.GARBLED:
            return self._random.choice(
                (*_GARBLED, text[: len(text) // 2], json.dumps({"id": answer["id"], "status": 200}))
            )
        if fault is Fault.FOREIGN:
            return json.dumps({**answer, "status": 200, "result": self._former.get(True, {})})
        if fault is Fault.FAILED_AFTER:
            error = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
            return json.dumps({"id": answer["id"], "status": 504, "error": error})
        return text


async def _later(client: Any, text: str) -> None:
    await asyncio.sleep(LATE_S)
    if not client.closed:
        await client.send_str(text)


def _refusal(fault: Fault | None) -> tuple[int, dict[str, Any]] | None:
    match fault:
        case Fault.LIMITED:
            return 429, {"code": -1003, "msg": "Too much request weight used; please use WebSocket Streams."}
        case Fault.BANNED:
            return 418, {"code": -1003, "msg": "Way too much request weight used; IP banned."}
        case Fault.OVERLOADED:
            return 503, {"code": -1008, "msg": "Server is currently overloaded with other requests."}
    return None
