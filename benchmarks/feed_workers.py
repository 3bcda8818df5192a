"""Messages a second that a gatherer takes from an exchange to Redis: two workers against one.

It takes them through ccxt: without it, one worker takes more than Redis and the exchange leave of two cores. The
exchange sends more than is taken, in frames encoded in advance, so the gatherer alone sets the pace. It, Redis and the
exchange share the machine: the CPU time of each stands beside the rate, since two workers cannot use more than the
cores that the other two leave.
"""

import asyncio
import json
import signal
import statistics
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure
from benchmarks.peers.frames import LEVELS_A_SIDE
from benchmarks.processes import cpu_s, family, started
from millrace_bus import EmbeddedServer

ROUNDS = 3
WARM_UP_S = 2.0
MEASURE_S = 6.0
SYMBOLS = ["BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT"]
BOOKS = 40_000
"""Messages of each symbol's book that the exchange can send: it needs them for more than ten seconds."""
TARGET = 1.7


@dataclass(frozen=True)
class Rate:
    """What one round measured."""

    messages_s: float
    gatherer_percent: float
    """CPU time of the gatherer, all its processes, in % of a core; so are the next two."""
    redis_percent: float
    exchange_percent: float


async def run(folder: Path) -> list[Figure]:
    """Measure one worker and two in turn."""
    rounds: dict[int, list[Rate]] = {1: [], 2: []}
    async with (
        await EmbeddedServer.start(folder / "valkey-workers") as valkey,
        started("benchmarks.peers.replay", ",".join(SYMBOLS), str(BOOKS)) as exchange,
    ):
        assert exchange.stdout is not None
        async with asyncio.timeout(120):
            addresses = json.loads(await exchange.stdout.readline())
        for _ in range(ROUNDS):
            for workers, rates in rounds.items():
                rates.append(await _rate(valkey, exchange, _config(addresses, workers)))
    one, two = (Rate(*map(statistics.median, zip(*map(astuple, rates), strict=True))) for rates in rounds.values())
    name = "one worker"
    return [
        Figure("feed, two workers", "messages/s", two.messages_s, one.messages_s, name, TARGET),
        Figure("feed, CPU of the gatherer", "% of a core", two.gatherer_percent, one.gatherer_percent, name),
        Figure("feed, CPU of Redis", "% of a core", two.redis_percent, one.redis_percent, name),
        Figure("feed, CPU of the exchange", "% of a core", two.exchange_percent, one.exchange_percent, name),
    ]


async def _rate(valkey: EmbeddedServer, exchange: asyncio.subprocess.Process, config: dict[str, Any]) -> Rate:
    async with (
        redis_asyncio.Redis.from_url(valkey.url, decode_responses=True) as redis,
        started("millrace_gatherer", "--agent-id", "GATHERER", "--redis-url", valkey.url) as gatherer,
    ):
        await redis.flushall()
        await redis.set("stream.config.GATHERER", json.dumps(config))
        await all_live(redis, 2 * len(SYMBOLS))
        exchange.send_signal(signal.SIGUSR1)
        await asyncio.sleep(WARM_UP_S)
        processes = (family(gatherer.pid), [valkey.pid], [exchange.pid])
        since, before = time.perf_counter(), [await _taken(redis), *map(_cpu_s, processes)]
        await asyncio.sleep(MEASURE_S)
        if exchange.returncode is not None:
            raise RuntimeError("the exchange ran out of messages: raise BOOKS")
        after, seconds = [await _taken(redis), *map(_cpu_s, processes)], time.perf_counter() - since
        exchange.send_signal(signal.SIGUSR2)
    messages, *cpu = (now - then for now, then in zip(after, before, strict=True))
    return Rate(messages / seconds, *(100 * used / seconds for used in cpu))


def _cpu_s(pids: list[int]) -> float:
    return sum(map(cpu_s, pids))


async def all_live(redis: Any, streams: int) -> None:
    """Wait until the heartbeat says that so many streams are live."""
    async with asyncio.timeout(120):
        while True:
            beat = json.loads(await redis.get("agent.GATHERER") or "{}")
            if [unit["state"] for unit in beat.get("units", [])] == ["live"] * streams:
                return
            await asyncio.sleep(0.1)


async def _taken(redis: Any) -> float:
    """Count the exchange's messages by what the newest entry of each journal holds.

    One entry may hold several trades, and one message of a book has so many update ids.
    """
    names = [name for name in await redis.zrange("index.journals.BENCH", 0, -1) if ".snapshot." not in name]
    newest = [await _newest_delta(redis, name) for name in names]
    return sum(
        data["nonce"] / (2 * LEVELS_A_SIDE) if "nonce" in data else int(data["trades"][-1]["id"]) for data in newest
    )


async def _newest_delta(redis: Any, name: str) -> dict[str, Any]:
    messages = [json.loads(fields["data"]) for _, fields in await redis.xrevrange(name, count=20)]
    data: dict[str, Any] = next(message["data"] for message in messages if message["type"] == "delta")
    return data


def _config(addresses: dict[str, str], workers: int) -> dict[str, Any]:
    urls = {"base": addresses["base"], "api": {"ws": {"spot": addresses["sockets"]}}}
    plan = {
        "tenant": "BENCH",
        "exchangeId": "binance",
        "assetPairs": SYMBOLS,
        "dataPoints": ["watchOrderBook", "watchTrades"],
    }
    return {
        "agent": {"id": "GATHERER"},
        "workers": workers,
        "exchanges": {"BENCH": {"binance": {"urls": urls, "adapter": "ccxt"}}},
        "workplans": [plan],
    }
