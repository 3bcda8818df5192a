"""Passes requests that are no sockets on to the exchange."""

from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web
from yarl import URL

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OF_A_CONNECTION = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "date", "keep-alive", "server",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Headers that belong to one connection, in either direction."""


async def forward(session: aiohttp.ClientSession, target: str, request: web.Request) -> web.Response:
    """Return the exchange's answer to a request."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_A_CONNECTION}
    url = URL(target + request.raw_path, encoded=True)
    async with session.request(request.method, url, headers=headers, data=await request.read()) as response:
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _OF_A_CONNECTION}
        return web.Response(status=response.status, headers=kept, body=await response.read())


async def serve(answer: Answer) -> tuple[web.AppRunner, int]:
    """Serve requests on a free port; return the server and its port."""

    async def answer_once(request: web.Request) -> web.StreamResponse:
        response = await answer(request)
        # The next request over the connection could be for a socket.
        response.force_close()
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer_once)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]
