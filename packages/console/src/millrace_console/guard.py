"""What is refused before any page is asked: huge bodies, odd cookies, floods, connections from other origins' pages."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace_serving.rates import RateLimiter, network_of

MAX_BODY: Final = 1_100_000
"""In bytes: the largest configuration, and the form around its file."""
MAX_STRANGERS_BODY: Final = 16_384
"""The same of a browser that is not signed in."""
PAGES_PER_S: Final = 10.0
PAGES_BURST: Final = 200
"""Pages and connections for each tenant, and for each address that is not signed in."""
MOST_SOCKETS: Final = 200
"""Open connections of pages of each tenant, and of all browsers together that are not signed in."""
_STRANGERS: Final = "-"
_FILES: Final = "/_nicegui/"
"""Scripts and styles, which are the same for everybody."""
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

    def __init__(self, app: ASGIApp, tenant_of: Callable[[Mapping[str, str]], str | None]) -> None:
        """`tenant_of` returns the first tenant that a browser with these cookies is signed in to."""
        self._app = app
        self._tenant_of = tenant_of
        self._pages = RateLimiter(PAGES_PER_S, PAGES_BURST)
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request or WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope = _with_plain_cookies(scope)
        connection = HTTPConnection(scope)
        tenant = self._tenant_of(connection.cookies)
        most_body = MAX_STRANGERS_BODY if tenant is None else MAX_BODY
        refusal = _refusal(scope, connection.headers, most_body) or self._too_many(connection, tenant)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, _limited(receive, most_body), _with_headers(send))
        else:
            await self._connect(tenant or _STRANGERS, scope, receive, send)

    def _too_many(self, connection: HTTPConnection, tenant: str | None) -> ASGIApp | None:
        """Refuse pages that are asked for too often: each is made and kept for a while."""
        if connection.scope["path"].startswith(_FILES):
            return None
        asker = network_of(connection.client.host if connection.client else "") if tenant is None else f"of {tenant}"
        if wait_s := self._pages.take(asker):
            seconds = str(int(wait_s) + 1)
            return PlainTextResponse(f"too many pages: try again in {seconds} s", 429, {"retry-after": seconds})
        return None

    async def _connect(self, whose: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sockets[whose] >= MOST_SOCKETS:
            await PlainTextResponse("too many open pages: close one first", 429)(scope, receive, send)
            return
        self._sockets[whose] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._sockets[whose] -= 1
            if not self._sockets[whose]:
                del self._sockets[whose]


def _refusal(scope: Scope, headers: Headers, most_body: int) -> ASGIApp | None:
    origin = headers.get("origin")
    if origin is not None and scope["path"].startswith(SOCKETS) and not is_own_origin(origin, headers.get("host")):
        return PlainTextResponse("only the console's own pages may connect", 403)
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most_body:
        return PlainTextResponse(f"the body exceeds {most_body:,} bytes", 413)
    return None


def _with_plain_cookies(scope: Scope) -> Scope:
    """Leave out cookies with backslashes, which are none of ours: Python takes half a minute to read a long one."""
    headers = [
        (name, b";".join(each for each in value.split(b";") if b"\\" not in each) if name == b"cookie" else value)
        for name, value in scope["headers"]
    ]
    return {**scope, "headers": headers}


def _limited(receive: Receive, most: int) -> Receive:
    """Count a body while it is read, since one in chunks does not say its length."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, f"the body exceeds {most:,} bytes", headers={"connection": "close"})
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
