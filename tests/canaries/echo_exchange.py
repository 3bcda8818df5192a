"""An exchange that refuses requests and repeats in its refusal everything that it knows of who asked."""

import json
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web
from tests.canaries.planted import base64_core

KEY_HEADER = "X-MBX-APIKEY"
QUESTIONS: dict[str, Any] = {
    "/api/v3/account": {"balances": [], "uid": 1, "permissions": ["SPOT"]},
}
"""What a patient account is answered."""


class EchoExchange:
    """Serves Binance's public questions from the simulator, and refuses accounts; `patient` keys at orders only."""

    def __init__(self, simulator: str, accounts: dict[str, tuple[str, ...]], patient: frozenset[str]) -> None:
        self._simulator, self._accounts, self._patient = simulator, accounts, patient
        self._runner = web.AppRunner(self._app(), access_log=None)

    async def listen(self) -> str:
        """Serve; return the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._http = aiohttp.ClientSession(self._simulator)
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """End."""
        await self._runner.cleanup()
        await self._http.close()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._refuse_frames(request)
        key = request.headers.get(KEY_HEADER)
        if key is None:
            async with self._http.get(request.path_qs) as public:
                return web.Response(body=await public.read(), content_type="application/json", status=public.status)
        if request.method == "GET" and key in self._patient:
            return web.json_response(QUESTIONS.get(request.path, []))
        code = -2010 if key in self._patient else -2015
        sent = f"{await request.text()} {request.path_qs}"
        return web.json_response({"code": code, "msg": self._words(key, sent)}, status=400)

    async def _refuse_frames(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            asked = json.loads(frame.data)
            parameters = asked.get("params") or {}
            key = str(parameters.get("apiKey")) if isinstance(parameters, dict) else ""
            error = {"code": -2015, "msg": self._words(key, frame.data)}
            await socket.send_json({"id": asked.get("id"), "status": 401, "error": error})
        return socket

    def _words(self, key: str, sent: str) -> str:
        """Return a refusal with all of the account's secrets, as careless programs print them."""
        known = (key, *self._accounts.get(key, ()))
        repeated = [f"{each} {quote(each, safe='')} {json.dumps(each)} {base64_core(each, 0)}" for each in known]
        return f"Invalid API-key, IP, or permissions for action: {' '.join(repeated)} in {sent}"
