"""What holds for every page: accessible, within its width, in every theme, and back after a break."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from benchmarks.processes import resident_mb
from playwright.async_api import Browser, Page, expect
from tests.console.conftest import DESKTOP, PHONE, Console, signed_in
from tests.support.accessibility import faults
from tests.support.platform import ROOT
from tests.support.promptness import prompt

from millrace_bus.server.ports import free_port
from millrace_cli.processes import listening
from millrace_console.pages import PAGES

log = logging.getLogger(__name__)

BREAKS = int(os.environ.get("MILLRACE_TEST_BREAKS", "2"))
"""How often the page is kept from its console; the whole proof is 100."""
BACK_S = prompt(5.0)
"""Within this time a page is right again."""
PATHS = [page.link.path for page in PAGES]
VIEWS = (("light", DESKTOP), ("dark", PHONE))
ALL_VIEWS = (*VIEWS, ("dark", DESKTOP), ("light", PHONE))
CHOSEN_VIEWS = ALL_VIEWS if os.environ.get("MILLRACE_TEST_VIEWS") == "all" else VIEWS
"""The two that differ most stand for all four, which take twice as long."""


@pytest.mark.parametrize(
    ("scheme", "viewport"), CHOSEN_VIEWS, ids=[f"{scheme}-{viewport['width']}" for scheme, viewport in CHOSEN_VIEWS]
)
async def test_no_page_has_a_serious_fault(
    console: Console, browser: Browser, scheme: str, viewport: dict[str, int]
) -> None:
    """By axe's rules, of which colours concern the theme and all else the width; nothing reaches beyond the width."""
    found: list[str] = []
    async with signed_in(
        browser, console.url, *console.tokens.values(), color_scheme=scheme, viewport=viewport
    ) as page:
        for path in PATHS:
            await page.goto(path)
            await expect(page.get_by_role("main")).to_be_visible()
            found += [f"{path}: {fault}" for fault in await faults(page)]
    assert found == []


class OwnConsole:
    """A console that a test may kill, on the demo's API."""

    def __init__(self, folder: Path, api_url: str) -> None:
        self.port = free_port(0)
        self.url = f"http://localhost:{self.port}"
        self._arguments = ("--port", str(self.port), "--api-url", api_url, "--data-dir", str(folder))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "millrace_console", *self._arguments, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )
        await listening(self.port, 60.0)

    @property
    def pid(self) -> int:
        """Return its process id; 0 before it was started."""
        return self._process.pid if self._process is not None else 0

    def resident(self) -> float:
        """Return its resident memory, in MB."""
        return resident_mb(self._process.pid) if self._process is not None else 0.0

    async def kill(self) -> None:
        """Kill it with -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


async def kept_mb(page: Page) -> float:
    """Return the page's JavaScript objects that are still in use, in MB."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    usage = await session.send("Runtime.getHeapUsage")
    await session.detach()
    return float(usage["usedSize"]) / 1e6


@pytest.mark.timeout(120 if BREAKS <= 4 else 3_600)
async def test_a_page_is_right_again_after_every_break(console: Console, browser: Browser, tmp_path: Path) -> None:
    """The console is killed, or the browser offline, in turn: the page says that it is old, and is right soon after.

    It stays at its address, and neither it nor the console grows.
    """
    own = OwnConsole(tmp_path, console.api_url.removesuffix("/api/v1"))
    kept: list[float] = []
    try:
        await own.start()
        async with signed_in(browser, own.url, *console.tokens.values()) as page:
            await page.goto("/?tenant=StrankaXY")
            agent = page.get_by_role("link", name="GATHERER", exact=True)
            await expect(agent).to_be_visible(timeout=20_000)
            for number in range(BREAKS):
                async with broken(own, page, by_kill=number % 2 == 0):
                    await expect(page.get_by_text("Not connected since")).to_be_visible(timeout=20_000)
                await expect(page.get_by_text("Not connected since")).to_be_hidden(timeout=BACK_S * 1_000)
                await expect(agent).to_be_visible(timeout=BACK_S * 1_000)
                assert page.url == f"{own.url}/?tenant=StrankaXY"
                kept.append(await kept_mb(page))
            log.info("kept by the page, MB: %s; the console: %.0f MB", [f"{each:.1f}" for each in kept], own.resident())
    finally:
        await own.kill()
    assert max(kept[-2:]) < 1.2 * max(kept[:2])


@asynccontextmanager
async def broken(own: OwnConsole, page: Page, *, by_kill: bool) -> AsyncIterator[None]:
    """Keep the page from its console, and mend it."""
    if by_kill:
        await own.kill()
    else:
        await page.context.set_offline(True)
    yield
    if by_kill:
        await own.start()
    else:
        await page.context.set_offline(False)


async def test_a_page_that_is_loaded_while_the_console_is_gone_waits_for_it(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    """It is never white: it says that it waits, and comes back by itself."""
    own = OwnConsole(tmp_path, console.api_url.removesuffix("/api/v1"))
    try:
        await own.start()
        async with signed_in(browser, own.url, *console.tokens.values()) as page:
            await page.goto("/")
            await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            await own.kill()
            await page.reload()
            await expect(page.get_by_text("The console does not answer")).to_be_visible()
            await own.start()
            await expect(page.get_by_role("link", name="GATHERER", exact=True)).to_be_visible(timeout=20_000)
    finally:
        await own.kill()
