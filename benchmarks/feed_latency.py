"""How long a message takes from an exchange's socket to a subscriber of Redis: a hundred symbols in one process."""

import asyncio
import json
import signal
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


async def run(folder: Path) -> list[Figure]:
    """Measure every trade of some seconds."""
    async with (
        await EmbeddedServer.start(folder / "valkey-latency") as valkey,
        started("millrace_gatherer", "--agent-id", "GATHERER", "--redis-url", valkey.url),
        started("benchmarks.peers.paced", str(MESSAGES_S)) as exchange,
        redis_asyncio.Redis.from_url(valkey.url, decode_responses=True) as redis,
    ):
        assert exchange.stdout is not None
        async with asyncio.timeout(60):
            addresses = json.loads(await exchange.stdout.readline())
        await redis.set("stream.config.GATHERER", json.dumps(_config(addresses)))
        await all_live(redis, SYMBOLS + TRADED)
        exchange.send_signal(signal.SIGUSR1)
        await asyncio.sleep(WARM_UP_S)
        latencies = sorted(await _latencies_ms(redis))
    p50, p99 = (latencies[len(latencies) * percent // 100] for percent in (50, 99))
    name = "feed, 100 symbols at 3,000 messages/s"
    return [
        Figure(f"{name}, p50", "ms", p50, P50_LIMIT_MS, "the limit", 1, higher_is_better=False),
        Figure(f"{name}, p99", "ms", p99, P99_LIMIT_MS, "the limit", 1, higher_is_better=False),
    ]


async def _latencies_ms(redis: Any) -> list[float]:
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
    if len(found) < MESSAGES_S / 3 * MEASURE_S * 0.9:
        raise RuntimeError(f"{len(found)} trades were read: the exchange, Redis or the gatherer did not keep up")
    return found


def _config(addresses: dict[str, str]) -> dict[str, Any]:
    urls = {"base": addresses["base"], "api": {"ws": {"spot": addresses["sockets"]}}}
    pairs = [symbol(number).replace("USDT", "/USDT") for number in range(SYMBOLS)]
    plan = {"tenant": "BENCH", "exchangeId": "binance"}
    return {
        "agent": {"id": "GATHERER"},
        "exchanges": {"BENCH": {"binance": {"urls": urls}}},
        "workplans": [
            plan | {"assetPairs": pairs, "dataPoints": ["watchOrderBook"]},
            plan | {"assetPairs": pairs[:TRADED], "dataPoints": ["watchTrades"]},
        ],
    }
