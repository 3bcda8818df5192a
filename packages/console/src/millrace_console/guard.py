"""What is refused before any page is asked: huge bodies, odd cookies, and connections from pages of other origins."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 1_100_000
"""In bytes: the largest configuration, and the form around its file."""
SOCKETS: Final = "/_nicegui_ws/"
"""NiceGUI's connections, which it would open for pages of any origin."""
POLICY: Final = (
    # NiceGUI's pages consist of scripts and styles within the page, and Vue compiles templates in the browser.
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    # A frame of another page could lead a click to a button.
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Wraps the application: adds what browsers must heed, and refuses what no page of the console sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request or WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope = _with_plain_cookies(scope)
        headers = Headers(scope=scope)
        refusal = _refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, _limited(receive), _with_headers(send))
        else:
            await self._app(scope, receive, send)


def _refusal(scope: Scope, headers: Headers) -> ASGIApp | None:
    origin = headers.get("origin")
    if origin is not None and scope["path"].startswith(SOCKETS) and not is_own_origin(origin, headers.get("host")):
        return PlainTextResponse("only the console's own pages may connect", 403)
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY:
        return PlainTextResponse(f"the body exceeds {MAX_BODY:,} bytes", 413)
    return None


def _with_plain_cookies(scope: Scope) -> Scope:
    """Leave out cookies with backslashes, which are none of ours: Python takes half a minute to read a long one."""
    headers = [
        (name, b";".join(each for each in value.split(b";") if b"\\" not in each) if name == b"cookie" else value)
        for name, value in scope["headers"]
    ]
    return {**scope, "headers": headers}


def _limited(receive: Receive) -> Receive:
    """Count a body while it is read, since one in chunks does not say its length."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise HTTPException(413, f"the body exceeds {MAX_BODY:,} bytes", headers={"connection": "close"})
        return message

    return receive_limited


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return send_with_headers


def is_own_page(request: Request) -> bool:
    """Tell whether a page of the console sent a request."""
    return is_own_origin(request.headers.get("origin", ""), request.headers.get("host"))


def is_own_origin(origin: str, host: str | None) -> bool:
    """Tell whether pages of an origin come from the address at which the console was asked."""
    return origin.partition("://")[2] == host
