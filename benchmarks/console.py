"""The console's busiest page in a real browser: four books at 500 messages a second each.

The console's CPU time is what counts: half a core at most, while every book is drawn ten times a second.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Page, async_playwright
from tests.support.browser import executable

from benchmarks.figures import Figure
from benchmarks.processes import cpu_s, started
from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_bus.server.ports import free_port
from millrace_cli import tokens
from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Level
from millrace_core.names import PUBLIC, StreamName, Tenant

SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT")
MESSAGES_PER_S = 500
"""Of each book."""
CHANGES = 6
"""Levels that a message changes."""
LEVELS = 200
"""Of each side."""
STEP_S = 0.01
SECONDS = 20.0
CORES, UPDATES_PER_S = 0.5, 10.0
_START_S = 60.0
_COUNT = """seconds => Promise.all([...document.querySelectorAll('.part-book')].map(book => new Promise(resolve => {
  let updates = 0;
  new MutationObserver(() => updates++).observe(book, {childList: true, subtree: true});
  setTimeout(() => resolve(updates / seconds), 1000 * seconds);
})))"""


async def run(folder: Path) -> list[Figure]:
    """Measure the page while the books move."""
    async with await EmbeddedServer.start(folder / "valkey") as server, Bus.connect(server.url, name="bench") as bus:
        books = [_Book(bus, symbol) for symbol in SYMBOLS]
        for book in books:
            await book.writer.open()
        moving = asyncio.create_task(_move(books))
        async with console_on(folder, server.url, PUBLIC) as (url, token, pid), _page(url, token) as page:
            cores, updates, sent = await _measured(page, pid, books)
        moving.cancel()
    what = f"the console with {len(SYMBOLS)} books at {sent:,.0f} messages/s in all"
    return [
        Figure(what, "cores", cores, CORES, "limit", 1.0, higher_is_better=False),
        Figure(f"{what}: the slowest book", "updates/s", min(updates), UPDATES_PER_S, "wanted", 0.9),
    ]


class _Book:
    """A book of which a few levels change with each message."""

    def __init__(self, bus: Bus, symbol: str) -> None:
        self._random = random.Random(symbol)
        self.book = OrderBook()
        self.book.replace(self._side(-1, LEVELS), self._side(1, LEVELS), None)
        self.messages = 0
        name = StreamName.parse(f"stream.{PUBLIC}.binance.watchOrderBook.{symbol}")
        self.writer: StreamWriter = bus.writer(name, self._snapshot)

    def _side(self, sign: int, depth: int) -> list[Level]:
        return [(round(100 + sign * level / 100, 2), self._amount()) for level in range(1, depth + 1)]

    def _amount(self) -> float:
        return round(self._random.uniform(0.01, 20), 2)

    def _snapshot(self, as_of: MessageId) -> BookSnapshot:
        return BookSnapshot(self.book.bids.levels(), self.book.asks.levels(), str(as_of), self.book.checksum())

    def change(self) -> None:
        """Publish one message."""
        bids, asks = (self._random.sample(self._side(sign, 40), CHANGES // 2) for sign in (-1, 1))
        self.book.apply(bids, asks, None)
        self.writer.delta(BookDelta(bids, asks), timestamp=now_ms())
        self.messages += 1


async def _move(books: list[_Book]) -> None:
    """Change the books at their rate, in steps."""
    began = time.monotonic()
    while True:
        due = (time.monotonic() - began) * MESSAGES_PER_S
        for book in books:
            while book.messages < due:
                book.change()
        await asyncio.sleep(STEP_S)


@asynccontextmanager
async def console_on(folder: Path, redis_url: str, tenant: Tenant) -> AsyncIterator[tuple[str, str, int]]:
    """Run the API and the console; yield the console's address, a token of a tenant, and its process id."""
    api, port = (f"http://127.0.0.1:{free_port(0)}", free_port(0))
    where = ("--data-dir", str(folder))
    async with (
        started("millrace_api", "--port", api.rpartition(":")[2], "--redis-url", redis_url, *where),
        started("millrace_console", "--port", str(port), "--api-url", api, *where) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        await answers(f"{api}/ready")
        await answers(f"{url}/health")
        token = await tokens.create(f"sqlite:///{folder / 'millrace.db'}", tenant, "bench", "read", days=1)
        yield url, token, process.pid


async def answers(url: str) -> None:
    """Wait until an address answers with 200."""
    async with asyncio.timeout(_START_S), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _page(url: str, token: str) -> AsyncIterator[Page]:
    """Open the page with all books, live."""
    arguments = ["--no-sandbox", "--disable-gpu"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=arguments)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await page.goto(f"{url}/sign-in")
        await page.evaluate(f"fetch('/sign-in/token', {{method: 'POST', body: {json.dumps(token)}}})")
        markets = "&".join(f"market={PUBLIC}.binance.{symbol}" for symbol in SYMBOLS)
        await page.goto(f"{url}/market?{markets}")
        for symbol in SYMBOLS:
            live: Any = page.get_by_label(f"{symbol} · binance · {PUBLIC}", exact=True).get_by_text("live", exact=False)
            await live.first.wait_for(timeout=1_000 * _START_S)
        yield page
        await browser.close()


async def _measured(page: Page, pid: int, books: list[_Book]) -> tuple[float, list[float], float]:
    """Return the cores that the console used, each book's updates a second, and the messages a second of all books."""
    began_s, cpu, messages = time.perf_counter(), cpu_s(pid), sum(book.messages for book in books)
    updates: list[float] = await page.evaluate(_COUNT, SECONDS)
    took_s = time.perf_counter() - began_s
    return (cpu_s(pid) - cpu) / took_s, updates, (sum(book.messages for book in books) - messages) / took_s
