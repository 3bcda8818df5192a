"""Many open pages of the console: the CPU time and memory that each costs it, and the API's requests for all of them.

The pages are loaded and connected as by browsers, and drawn nowhere. The demo runs beneath, on a market that moves.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from tests.support.open_page import OpenPage, sign_in

from benchmarks.console import answers
from benchmarks.figures import Figure
from benchmarks.processes import ROOT, cpu_s, resident_mb, started
from millrace_bus.server.ports import free_port
from millrace_cli import tokens
from millrace_console.pages import PAGES
from millrace_core.names import PUBLIC, Tenant

TENANT = Tenant("StrankaXY")
COUNTS = tuple(map(int, os.environ.get("BENCH_PAGES", "1,20,60").split(",")))
"""How many pages are open."""
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
EVENTS_PER_S = 50
"""Of the demo's market."""
_MARKETS = f"/market?market={TENANT}.binance.KCS/USDT&market=PUBLIC.binance.BTC/USDT"
KINDS = {
    "overview": ("/",),
    "market": (_MARKETS,),
    "orders": ("/orders",),
    "mixed": tuple(page.link.path for page in PAGES if not page.link.operator_only),
}
"""The addresses that are opened in turn."""
MOST_CPU_MS = {"overview": 1.0, "market": 4.0, "orders": 1.5, "mixed": 2.5}
"""Of a page, ms of CPU a second. With 2.5, 200 pages take half a core; two moving books are drawn 20 times a second."""
MOST_MB = 1.5
"""Of a page."""


class Cost(NamedTuple):
    """What some open pages cost together, a second."""

    cpu_s: float
    memory_mb: float
    """Of the whole console."""
    requests: float


async def run(folder: Path) -> list[Figure]:
    """Measure each kind of page, with a console of its own, as ever more of them are opened."""
    figures = []
    async with demo(folder) as api:
        page_token, metrics_token = await tokens_of(folder)
        for kind, paths in KINDS.items():
            costs = await costs_of(folder / kind, api, page_token, metrics_token, paths)
            figures += [each for count in COUNTS[1:] for each in _figures(kind, count, costs)]
    return figures


def _figures(kind: str, count: int, costs: dict[int, Cost]) -> list[Figure]:
    first, *_ = costs
    all_, one = costs[count], costs[first]
    what, more = f"{count} pages, {kind}", count - first
    cpu, held = all_.cpu_s * 1_000 / count, max(0.0, all_.memory_mb - one.memory_mb) / more
    beside = f"of {first}"
    return [
        Figure(f"{what}: CPU of a page", "ms/s", cpu, one.cpu_s * 1_000 / first, beside, higher_is_better=False),
        Figure(f"{what}: CPU of a page", "ms/s", cpu, MOST_CPU_MS[kind], "limit", 1.0, higher_is_better=False),
        Figure(f"{what}: memory of a page", "MB", held, MOST_MB, "limit", 1.0, higher_is_better=False),
        Figure(f"{what}: requests to the API", "1/s", all_.requests, one.requests, beside, higher_is_better=False),
    ]


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[str]:
    """Run the demo; yield the address of its API."""
    port = free_port(0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "demo", "--quiet", "--data-dir", str(folder / "demo")),
        *("--redis-port", "0", "--simulator-port", "0", "--api-port", str(port), "--console-port", "0"),
        *("--events-per-second", str(EVENTS_PER_S)),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await answers(f"http://127.0.0.1:{port}/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def tokens_of(folder: Path) -> tuple[str, str]:
    """Return a token for the pages, and one for the API's metrics, since each has a limit of its own."""
    url = f"sqlite:///{folder / 'demo' / 'millrace.db'}"
    return await tokens.create(url, TENANT, "pages", "admin", 1), await tokens.create(url, PUBLIC, "metrics", "read", 1)


async def costs_of(
    folder: Path, api: str, page_token: str, metrics_token: str, paths: tuple[str, ...]
) -> dict[int, Cost]:
    """Return what pages cost, by their number; they stay open while more are opened."""
    port, costs = free_port(0), {}
    async with AsyncExitStack() as stack:
        arguments = ("--port", str(port), "--api-url", api, "--data-dir", str(folder))
        console = await stack.enter_async_context(started("millrace_console", *arguments))
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/health")
        jar, timeout = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(total=None)
        http = await stack.enter_async_context(aiohttp.ClientSession(url, cookie_jar=jar, timeout=timeout))
        await sign_in(http, url, page_token)
        opened = 0
        for count in COUNTS:
            pages = [OpenPage(http, paths[number % len(paths)]) for number in range(opened, count)]
            await asyncio.gather(*(stack.enter_async_context(page.shown()) for page in pages))
            opened = count
            costs[count] = await _cost(console.pid, api, metrics_token)
    return costs


async def _cost(pid: int, api: str, token: str) -> Cost:
    before_s, requests = cpu_s(pid), await _requests(api, token)
    await asyncio.sleep(SECONDS)
    used_s, requests = cpu_s(pid) - before_s, await _requests(api, token) - requests
    return Cost(used_s / SECONDS, resident_mb(pid), (requests - 1) / SECONDS)


async def _requests(api: str, token: str) -> float:
    """Return how many requests the API has served."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http, http.get(f"{api}/metrics", headers=headers) as response:
        text = await response.text()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "millrace_api_requests_total"
    )
