"""Several pages with one token, and one with another: what is asked of the API, and when it ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from tests.console.conftest import Console
from tests.console.test_configuration import operator
from tests.console.test_every_page import OwnConsole
from tests.support.line import Line, Socket, served
from tests.support.open_page import OpenPage, sign_in

TENANT = "StrankaXY"
MARKET = f"/market?market={TENANT}.binance.KCS/USDT"


class _Recorded(Line):
    """The way from a console to the API, which notes who asks what."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.asked: list[tuple[str, str]] = []
        """Token and question."""
        self.is_asked, self.all_ended = asyncio.Event(), asyncio.Event()

    async def answered(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        """Pass a request on, and note it."""
        self.asked.append((request.headers.get("Authorization", "").removeprefix("Bearer "), request.path_qs))
        self.is_asked.set()
        return await super().answered(request, session)

    def ended(self, socket: Socket) -> None:
        """Note that a socket has ended."""
        super().ended(socket)
        if not self.open:
            self.all_ended.set()

    def polls_of(self, token: str) -> list[str]:
        """Return what asks for the newest failures, which stands for a poll: it says when the poll began."""
        return [path for whose, path in self.asked if whose == token and "failed-executions?limit=5" in path]

    async def polled(self, token: str, times: int) -> None:
        """Wait until pages with a token have asked in so many more polls."""
        before = len(self.polls_of(token))
        async with asyncio.timeout(120):
            while len(self.polls_of(token)) < before + times:
                self.is_asked.clear()
                await self.is_asked.wait()


async def test_pages_of_one_token_ask_once_and_no_longer_than_they_are_open(console: Console, tmp_path: Path) -> None:
    """In each poll each token asks each question once, and follows each stream once; pages that leave ask no more."""
    async with operator(console) as client:
        made = await client.post(f"tokens?tenant={TENANT}", json={"name": "another", "role": "read"})
    ours, others = console.tokens[TENANT], str(made.json()["token"])
    line = _Recorded(console.api_url.removesuffix("/api/v1"))
    async with served(line), _console(tmp_path, line.url) as url, _page(url, others, "/"):
        async with AsyncExitStack() as pages:
            for path in ("/", "/", MARKET, MARKET):
                await pages.enter_async_context(_page(url, ours, path))
            line.asked.clear()
            await line.polled(ours, 3)
            await line.polled(others, 1)
            assert set(Counter(line.polls_of(ours)).values()) == {1}
            assert set(line.polls_of(ours)[1:-1]) <= set(line.polls_of(others))
            assert line.sent and set(Counter(line.sent).values()) == {1}
        await asyncio.wait_for(line.all_ended.wait(), 120)
        line.asked.clear()
        await line.polled(others, 2)
        assert {token for token, _ in line.asked} == {others}


@asynccontextmanager
async def _console(folder: Path, api_url: str) -> AsyncIterator[str]:
    own = OwnConsole(folder, api_url)
    await own.start()
    try:
        yield own.url
    finally:
        await own.kill()


@asynccontextmanager
async def _page(url: str, token: str, path: str) -> AsyncIterator[None]:
    """Keep a page open in a browser of its own that is signed in with a token."""
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await sign_in(http, url, token)
        async with OpenPage(http, path).shown():
            yield
