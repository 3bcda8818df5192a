"""What a process for each strategy costs from a tick to its order: ours against the same in magicbox's own process.

Magicbox is configured anew before each round, so that both are measured in turn, over the same connections.
"""

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure
from benchmarks.tick_to_trade import OURS, Exchange, configs, running, warm

ROUNDS = 9
RATE = 50
TICKS = 200
UNMEASURED_TICKS = 200
"""Not measured: the process of a strategy is young in each round, magicbox's own is not."""
TARGET = 1.05
PLACES: tuple[str | int, ...] = ("each", 0)
"""Values of `workers`: a process for each strategy, which is the default, and magicbox's own."""


async def run(folder: Path) -> list[Figure]:
    """Measure both in turn."""
    taken: dict[str | int, list[list[float]]] = {place: [] for place in PLACES}
    async with running(folder) as (exchange, url), redis_asyncio.Redis.from_url(url, decode_responses=True) as redis:
        for _ in range(ROUNDS):
            for place, rounds in taken.items():
                await _move(redis, exchange, place)
                await warm(exchange, OURS, folder / "processes.log")
                await exchange.drive(OURS, RATE, UNMEASURED_TICKS)
                rounds.append(await exchange.drive(OURS, RATE, TICKS))
    figures = []
    for name, percentile, target in (("p50", 50, TARGET), ("p99", 99, None)):
        each, own = (
            statistics.median(statistics.quantiles(values, n=100)[percentile - 1] for values in rounds)
            for rounds in taken.values()
        )
        name = f"tick to trade at {RATE}/s, a process for the strategy, {name}"
        figures.append(Figure(name, "ms", each, own, "magicbox's process", target, higher_is_better=False))
    return figures


async def _move(redis: Any, exchange: Exchange, place: str | int) -> None:
    """Have the strategy run there; return once the heartbeat says that it does."""
    config = configs(exchange)["MAGICBOX"] | {"workers": place}
    await redis.set("stream.config.MAGICBOX", json.dumps(config))
    async with asyncio.timeout(30):
        while True:
            (unit,) = json.loads(await redis.get("agent.MAGICBOX"))["units"] or [{}]
            if unit.get("state") == "live" and (unit.get("worker") is not None) == (place == "each"):
                return
            await asyncio.sleep(0.05)
