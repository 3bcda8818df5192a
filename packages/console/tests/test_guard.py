"""What the console refuses before any page of it is asked: a real console, which has no API, and raw requests."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import httpx
import pytest
import pytest_asyncio
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from millrace_console.guard import MAX_BODY, PAGES_BURST, SOCKETS, Guard
from millrace_console.place import own

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport="
ELSEWHERE = ["https://evil.example", "http://localhost:1", "null"]
in_module = partial(pytest_asyncio.fixture, loop_scope="module", scope="module")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@in_module
async def stranger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a cookie, of a console in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_console", "--port", "0", "--api-url", f"http://127.0.0.1:{_closed_port()}",
        "--data-dir", str(tmp_path_factory.mktemp("console")), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[1]
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


def origin_of(client: httpx.AsyncClient) -> str:
    """Return the origin of the console's own pages."""
    return str(client.base_url).rstrip("/")


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "\\\\evil.example", ""]
)
async def test_an_address_elsewhere_is_never_led_to(to: str) -> None:
    """Browsers read a backslash as a slash and pass over tabs."""
    assert own(to) == "/"


async def test_a_place_of_the_console_is_led_to() -> None:
    """With all its parameters."""
    assert own("/orders?symbol=ETH/BTC&order=%5C1") == "/orders?symbol=ETH/BTC&order=%5C1"


@pytest.mark.parametrize(
    "path", ["/sign-in/token", f"{SOCKET}polling&sid=x", "/sign-out", "/_nicegui/client/x/upload/1"]
)
async def test_a_body_that_says_how_huge_it_is_is_refused(stranger: httpx.AsyncClient, path: str) -> None:
    """Before any of it is read, and whether or not somebody would read it."""
    found = await stranger.post(path, content=b"x" * (MAX_BODY + 1), headers={"Origin": origin_of(stranger)})
    assert found.status_code == 413


async def test_a_body_that_does_not_end_is_not_read_to_its_end(stranger: httpx.AsyncClient) -> None:
    """Without a length it is counted as it comes; the connection ends soon after the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY:
            sent += MAX_BODY // 4
            yield b"x" * (MAX_BODY // 4)

    with suppress(httpx.WriteError, httpx.ReadError):
        found = await stranger.post("/sign-in/token", content=endless(), headers={"Origin": origin_of(stranger)})
        assert found.status_code == 413
    assert sent < 100 * MAX_BODY


@pytest.mark.parametrize("origin", ELSEWHERE)
async def test_a_page_of_another_origin_opens_no_connection(stranger: httpx.AsyncClient, origin: str) -> None:
    """Neither a WebSocket nor the requests that stand in for one."""
    for transport, headers in (("websocket", UPGRADE), ("polling", {})):
        found = await stranger.get(SOCKET + transport, headers=headers | {"Origin": origin})
        assert found.status_code == 403, transport
        assert "access-control-allow-origin" not in found.headers


async def test_the_consoles_own_page_opens_a_connection(stranger: httpx.AsyncClient) -> None:
    """Its origin is that of the address it was asked at."""
    found = await stranger.get(f"{SOCKET}polling", headers={"Origin": origin_of(stranger)})
    assert found.status_code == 200


@pytest.mark.parametrize("path", ["/", "/sign-in", "/orders?order=x", "/nowhere", "/health", "/exports/trades"])
async def test_no_page_is_framed_or_reaches_another_host(stranger: httpx.AsyncClient, path: str) -> None:
    """A script that got in could send nothing out, and no form leads elsewhere."""
    policy = (await stranger.get(path)).headers["content-security-policy"]
    for rule in ("default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert rule in policy


@pytest.mark.parametrize(
    "path",
    [
        *("/_nicegui/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/exports/..%2f..%2ftokens"),
        *("/exports/%2e%2e", "/_nicegui/3.0.0/static/..%2f..%2fnicegui.py", "/_nicegui/3.0.0/resources/x/..%2f..%2fx"),
    ],
)
async def test_no_file_is_reached_by_its_path(stranger: httpx.AsyncClient, path: str) -> None:
    """Whatever dots a path holds."""
    found = await stranger.get(path)
    assert found.status_code in (403, 404)
    assert "root:" not in found.text


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_cookies_that_python_reads_for_half_a_minute_reach_no_page(kind: str) -> None:
    """A long one with backslashes is none of ours; those beside it are read as ever."""
    seen: list[dict[str, str]] = []

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(HTTPConnection(scope).cookies)

    cookies = b'a=1; b="' + b"\\" * 60_000 + b'"; c="2"'
    scope: Scope = {"type": kind, "path": "/", "headers": [(b"cookie", cookies)], "client": ("192.0.2.1", 1)}
    await Guard(page, lambda _: None)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [{"a": "1", "c": "2"}]


async def test_a_flood_of_pages_is_its_senders_own() -> None:
    """Of an address that is not signed in, or of a tenant; others, and the files of pages, are served as ever."""
    guard, statuses = Guard(_page, lambda cookies: cookies.get("tenant")), []

    async def asked(address: str, path: str = "/sign-in", cookie: bytes = b"") -> int:
        scope: Scope = {"type": "http", "path": path, "headers": [(b"cookie", cookie)], "client": (address, 1)}
        return await _status(guard, scope)

    statuses = [await asked("192.0.2.1") for _ in range(PAGES_BURST + 50)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert await asked("192.0.2.2") == 200
    assert await asked("192.0.2.1", "/_nicegui/x.js") == 200
    assert await asked("192.0.2.1", cookie=b"tenant=Ann") == 200
    assert [await asked(f"192.0.2.{n % 200}", cookie=b"tenant=Bob") for n in range(PAGES_BURST + 50)][-1] == 429


async def test_open_pages_of_strangers_close_none_of_a_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    """All strangers have so many together, from however many addresses; one that leaves makes room."""
    monkeypatch.setattr("millrace_console.guard.MOST_SOCKETS", 2)
    left = asyncio.Event()

    async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await left.wait()

    guard = Guard(page, lambda cookies: cookies.get("tenant"))

    async def connected(number: int, cookie: bytes = b"") -> str:
        scope: Scope = {"type": "websocket", "path": SOCKETS, "headers": [(b"cookie", cookie)]}
        scope |= {"client": (f"192.0.2.{number}", 1), "extensions": {"websocket.http.response": {}}}
        answers: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: Message) -> None:
            answers.put_nowait(message["type"])

        open_pages.append(asyncio.create_task(guard(scope, None, send)))  # type: ignore[arg-type]
        return await answers.get()

    open_pages: list[asyncio.Task[None]] = []
    found = [await connected(number) for number in range(3)]
    assert found == ["websocket.accept", "websocket.accept", "websocket.http.response.start"]
    assert await connected(1, b"tenant=Ann") == "websocket.accept"
    left.set()
    await asyncio.gather(*open_pages)
    assert await connected(5) == "websocket.accept"


async def test_a_stranger_sends_little(stranger: httpx.AsyncClient) -> None:
    """Whoever is not signed in has no configuration to send."""
    found = await stranger.post("/sign-out", content=b"x" * 20_000, headers={"Origin": origin_of(stranger)})
    assert found.status_code == 413


async def test_a_head_without_an_end_is_not_read(stranger: httpx.AsyncClient) -> None:
    """The connection is one of those that the API has, with its limits."""
    reader, writer = await asyncio.open_connection(stranger.base_url.host, stranger.base_url.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionError):
            for _ in range(1_000):
                writer.write(b"a" * 4_000)
                await writer.drain()
                await asyncio.sleep(0)
    writer.transport.abort()
    del reader


async def test_sign_ins_are_tried_seldom(stranger: httpx.AsyncClient) -> None:
    """The API counts all that the console tries as one address: a stranger must not use up what others may try."""
    found = [(await stranger.get("/enter?code=x")).status_code for _ in range(40)]
    assert found[0] == 303
    assert found[-1] == 429
    own = {"Origin": origin_of(stranger)}
    assert (await stranger.post("/sign-in/token", content=b"mr_x", headers=own)).status_code == 429


async def _page(_scope: Scope, _receive: Receive, send: Send) -> None:
    await PlainTextResponse("page")(_scope, _receive, send)


async def _status(guard: Guard, scope: Scope) -> int:
    """Return the status with which a request is answered."""
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await guard(scope, None, send)  # type: ignore[arg-type]
    return statuses[0]
