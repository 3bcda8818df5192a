"""The console in a real browser, on a demo that all of these tests share."""

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from tests.support.browser import NoBrowser, executable
from tests.support.platform import ROOT

log = logging.getLogger(__name__)
in_session = partial(pytest_asyncio.fixture, loop_scope="session")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of this folder in one event loop, with the demo and the browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.system)
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True)
class Console:
    """A running demo with its console."""

    url: str
    """Such as `http://localhost:8081`."""
    link: str
    """Signs in once."""
    api_url: str
    """With `/api/v1`."""
    tokens: dict[str, str]
    """Admin tokens of `StrankaXY` and `PUBLIC`."""
    data_dir: Path
    pid: int
    """Of the demo, whose children the services are."""

    @property
    def database_url(self) -> str:
        """Return the address of the demo's database."""
        return f"sqlite:///{self.data_dir / 'millrace.db'}"


def client_of(console: Console, tenant: str) -> httpx.AsyncClient:
    """Return the API as an admin of a tenant uses it."""
    headers = {"Authorization": f"Bearer {console.tokens[tenant]}"}
    return httpx.AsyncClient(base_url=console.api_url, headers=headers, timeout=30)


@in_session(scope="package")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """The demo, with live books."""
    folder = tmp_path_factory.mktemp("console")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_cli.main", "demo", "--data-dir", str(folder / "data"),
        "--redis-port", "0", "--simulator-port", "0", "--api-port", "0", "--console-port", "0",
        "--events-per-second", "50",  # a quarter of what the demo has: these tests are of what is shown
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield await _console(process, folder / "data")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def signed_in(browser: Browser, url: str, *tokens: str, **context_options: Any) -> AsyncIterator[Page]:
    """Open a page of a console in a context of its own, signed in with some tokens."""
    context = await browser.new_context(base_url=url, **context_options)
    page = await context.new_page()
    await page.goto("/sign-in")
    for token in tokens:
        sent = "t => fetch('/sign-in/token', {method: 'POST', body: t}).then(a => a.status)"
        assert await page.evaluate(sent, token) == 200
    yield page
    await context.close()


async def _console(process: asyncio.subprocess.Process, data_dir: Path) -> Console:
    """Read from the demo's own words where it is and how to sign in."""
    assert process.stdout is not None
    seen = ""
    async with asyncio.timeout(90):
        while "token of the operator" not in seen:
            line = (await process.stdout.readline()).decode()
            assert line, f"the demo ended: {seen}"
            seen += line
    link = re.search(r"(http://localhost:\d+)/enter\?code=\S+", seen)
    api = re.search(r"http://\S+/api/v1", seen)
    tokens = re.findall(r"token of (\S+|the operator): (\S+)", seen)
    assert link and api and len(tokens) == 2, seen
    accounts = {"StrankaXY": tokens[0][1], "PUBLIC": tokens[1][1]}
    return Console(link[1], link[0], api[0], accounts, data_dir, process.pid)


@in_session(scope="package")
async def browser() -> AsyncIterator[Browser]:
    """A headless browser; where none can be had, the tests are skipped and say what to install."""
    try:
        path = executable()
    except NoBrowser as error:
        pytest.skip(str(error))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@in_session(scope="package")
async def context(console: Console, browser: Browser) -> AsyncIterator[BrowserContext]:
    """A person's browser, signed in to the tenant and as the operator; it loads the console's own files once."""
    async with signed_in(browser, console.url, *console.tokens.values(), viewport=DESKTOP) as page:
        context = page.context
        await page.close()
        yield context


@in_session
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A new page of that browser; an error in it fails the test."""
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: log.info("browser: %s", message.text))
    yield page
    await page.close()
    assert errors == []
