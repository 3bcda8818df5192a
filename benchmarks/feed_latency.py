"""How long a message takes from an exchange's socket to a subscriber of Redis: a hundred symbols.

Natively in one process; through ccxt in two workers, where the question is whether a backlog grows: then each message
takes longer than the one before.
"""

import asyncio
import json
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.feed_workers import all_live
from benchmarks.figures import Figure
from benchmarks.peers.paced import PRICE_MODULUS, SYMBOLS, TRADED, symbol
from benchmarks.processes import started
from millrace_bus import EmbeddedServer

MESSAGES_S = 3_000
WARM_UP_S = 3.0
MEASURE_S = 10.0
P50_LIMIT_MS, P99_LIMIT_MS = 1.0, 15.0
GROWTH_LIMIT = 1.5


async def run(folder: Path) -> list[Figure]:
    """Measure every trade of some seconds, natively and through ccxt."""
    native = sorted(await _latencies_ms(folder / "native", "native", workers=0))
    if len(native) < MESSAGES_S / 3 * MEASURE_S * 0.9:
        raise RuntimeError(f"{len(native)} trades were read: the exchange, Redis or the gatherer did not keep up")
    p50, p99 = (native[len(native) * percent // 100] for percent in (50, 99))
    ccxt = await _latencies_ms(folder / "ccxt", "ccxt", workers=2)
    third = len(ccxt) // 3
    first, last = statistics.median(ccxt[:third]), statistics.median(ccxt[-third:])
    name = "feed, 100 symbols at 3,000 messages/s"
    growth = f"{name}, ccxt in two workers, p50 of the last third"
    return [
        Figure(f"{name}, p50", "ms", p50, P50_LIMIT_MS, "the limit", 1, higher_is_better=False),
        Figure(f"{name}, p99", "ms", p99, P99_LIMIT_MS, "the limit", 1, higher_is_better=False),
        Figure(growth, "ms", last, first, "the first third", GROWTH_LIMIT, higher_is_better=False),
    ]


async def _latencies_ms(folder: Path, adapter: str, workers: int) -> list[float]:
    """Return the latency of each trade, in the order of their arrival."""
    async with (
        await EmbeddedServer.start(folder) as valkey,
        started("millrace_gatherer", "--agent-id", "GATHERER", "--redis-url", valkey.url),
        started("benchmarks.peers.paced", str(MESSAGES_S)) as exchange,
        redis_asyncio.Redis.from_url(valkey.url, decode_responses=True) as redis,
    ):
        assert exchange.stdout is not None
        async with asyncio.timeout(60):
            addresses = json.loads(await exchange.stdout.readline())
        await redis.set("stream.config.GATHERER", json.dumps(_config(addresses, adapter, workers)))
        await all_live(redis, SYMBOLS + TRADED)
        exchange.send_signal(signal.SIGUSR1)
        await asyncio.sleep(WARM_UP_S)
        return await _read(redis)


async def _read(redis: Any) -> list[float]:
    found: list[float] = []
    loop = asyncio.get_running_loop()
    async with redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.psubscribe("stream.BENCH.binance.watchTrades.*")
        until = loop.time() + MEASURE_S
        while loop.time() < until:
            if (message := await channel.get_message(timeout=1.0)) is not None:
                now_us = time.time_ns() // 1_000
                trades = json.loads(message["data"])["data"].get("trades", ())
                found += [(now_us - int(trade["price"])) % PRICE_MODULUS / 1000 for trade in trades]
    return found


def _config(addresses: dict[str, str], adapter: str, workers: int) -> dict[str, Any]:
    urls = {"base": addresses["base"], "api": {"ws": {"spot": addresses["sockets"]}}}
    pairs = [symbol(number).replace("USDT", "/USDT") for number in range(SYMBOLS)]
    plan = {"tenant": "BENCH", "exchangeId": "binance"}
    return {
        "agent": {"id": "GATHERER"},
        "workers": workers,
        "exchanges": {"BENCH": {"binance": {"urls": urls, "adapter": adapter}}},
        "workplans": [
            plan | {"assetPairs": pairs, "dataPoints": ["watchOrderBook"]},
            plan | {"assetPairs": pairs[:TRADED], "dataPoints": ["watchTrades"]},
        ],
    }
