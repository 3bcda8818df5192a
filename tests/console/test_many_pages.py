"""Many pages open at once: what they cost the console, and that they end with their browsers."""

import asyncio
import logging
import os
from pathlib import Path

import aiohttp
from benchmarks.processes import cpu_s
from tests.console.conftest import Console
from tests.console.test_every_page import PATHS, OwnConsole
from tests.support.open_page import OpenPage, sign_in

log = logging.getLogger(__name__)

PAGES = int(os.environ.get("MILLRACE_TEST_PAGES", "20"))
"""The whole measurement is 200."""
MEASURED_S = 5.0
MOST_MB = 6.0
"""What a page may keep in the console's memory."""


async def test_many_pages_cost_little_each_and_nothing_afterwards(console: Console, tmp_path: Path) -> None:
    """Memory and CPU of the console with many pages open; afterwards its live connections are gone."""
    own = OwnConsole(tmp_path, console.api_url.removesuffix("/api/v1"))
    await own.start()
    try:
        jar = aiohttp.CookieJar(unsafe=True)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(own.url, cookie_jar=jar, timeout=timeout) as http:
            await sign_in(http, own.url, *console.tokens.values())
            await hold(http, 2)
            before = own.resident()
            cpu = await hold(http, PAGES, own)
            each = (own.resident() - before) / PAGES
            log.info("%d pages: %.1f MB and %.1f ms of CPU a second each", PAGES, each, cpu * 1_000 / PAGES)
            assert each < MOST_MB
    finally:
        await own.kill()


async def hold(http: aiohttp.ClientSession, count: int, measured: OwnConsole | None = None) -> float:
    """Open pages, all kinds in turn, for a while; return the CPU that the console used meanwhile, s a second."""
    pages = [OpenPage(http, f"{PATHS[number % len(PATHS)]}?tenant=StrankaXY") for number in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(page.run()) for page in pages]
        async with asyncio.timeout(110):
            await asyncio.gather(*(page.is_open.wait() for page in pages))
        used = cpu_s(measured.pid) if measured else 0.0
        await asyncio.sleep(MEASURED_S if measured else 0.0)  # CPU is measured over a time
        used = cpu_s(measured.pid) - used if measured else 0.0
        assert all(len(page.received) > 1 for page in pages) or not measured
        for task in tasks:
            task.cancel()
    return used / MEASURED_S
