"""What an open page of the console costs an order: from a tick to its order with the page open, and without.

The page shows the very market that is traded. It is loaded and connected as by a browser, and drawn nowhere: browsers
run on other machines. The API and the console run in both rounds, which follow each other in turn.
"""

import statistics
from pathlib import Path

import aiohttp
from tests.support.open_page import OpenPage, sign_in

from benchmarks.console import console_on
from benchmarks.figures import Figure
from benchmarks.tick_to_trade import OURS, TICKS_PER_ROUND, running
from millrace_core.names import Tenant

ROUNDS = 5
RATE = 50
TENANT = Tenant("BENCH")
PATH = f"/market?market={TENANT}.binance.BTC/USDT"
TARGETS = {50: 1.05, 99: None}
"""By percentile."""


async def run(folder: Path) -> list[Figure]:
    """Measure our own stack in pairs of rounds."""
    without: list[list[float]] = []
    beside: list[list[float]] = []
    async with (
        running(folder) as (exchange, redis_url),
        console_on(folder, redis_url, TENANT) as (url, token, _),
        aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        await sign_in(http, url, token)
        for _ in range(ROUNDS):
            without.append(await exchange.drive(OURS, RATE, TICKS_PER_ROUND))
            async with OpenPage(http, PATH).shown():
                beside.append(await exchange.drive(OURS, RATE, TICKS_PER_ROUND))
    return [_figure(percentile, target, beside, without) for percentile, target in TARGETS.items()]


def _figure(percentile: int, target: float | None, beside: list[list[float]], without: list[list[float]]) -> Figure:
    ours, alone = (
        statistics.median(statistics.quantiles(round_, n=100)[percentile - 1] for round_ in rounds)
        for rounds in (beside, without)
    )
    name = f"tick to trade at {RATE}/s with the console open, p{percentile}"
    return Figure(name, "ms", ours, alone, "without", target, higher_is_better=False)
