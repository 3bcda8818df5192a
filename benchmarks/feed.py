"""CPU time for each market message: our gatherer with its own feed and with ccxt, and the least that each part takes.

One simulator sends four symbols' books and trades; each reader runs by itself, warms up, and is then measured.
"""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks import feed_latency, feed_workers
from benchmarks.figures import Figure, interleaved
from benchmarks.processes import cpu_s, started
from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli.processes import listening

ROUNDS = 3
WARM_UP_S = 3.0
MEASURE_S = 8.0
SYMBOLS = ["BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT"]
BUSY = {"eventsPerSecond": 1500, "depthIntervalMs": 10, "bookLevels": 0, "limits": {"enforce": False}}
NATIVE_TARGET = 2.5
CCXT_TARGET = 1.15


async def run(folder: Path) -> list[Figure]:
    """Measure all six in turn, then the latency with many symbols, then one worker and two."""
    port = free_port(0)
    settings = folder / "simulator.json"
    settings.write_text(json.dumps(BUSY))
    url = f"http://127.0.0.1:{port}"
    async with (
        started("millrace_simulator", "--port", str(port), "--config", str(settings)),
        await EmbeddedServer.start(folder / "valkey") as valkey,
    ):
        await listening(port, 20)
        native, alone, decode, lean, through_ccxt, ccxt = await interleaved(
            ROUNDS,
            lambda: _gatherer(valkey.url, url, "native"),
            lambda: _peer("native_feed", url),
            lambda: _peer("decode_only", url),
            lambda: _peer("decode_only", url, valkey.url),
            lambda: _gatherer(valkey.url, url, "ccxt"),
            lambda: _peer("bare_ccxt", url),
        )
    name, peer = "feed, CPU a message, native", "picows + msgspec, decoded only"
    return [
        Figure(name, "µs", native, decode, peer, NATIVE_TARGET, higher_is_better=False),
        Figure(f"{name} feed alone", "µs", alone, decode, peer, higher_is_better=False),
        Figure(name, "µs", native, lean, "the same, journaled and published as it came", higher_is_better=False),
        Figure("feed, CPU a message, published as it came", "µs", lean, decode, peer, higher_is_better=False),
        Figure("feed, CPU a message, ccxt", "µs", through_ccxt, ccxt, "ccxt.pro alone", CCXT_TARGET, False),
        *await feed_latency.run(folder),
        *await feed_workers.run(folder),
    ]


async def _gatherer(redis_url: str, exchange: str, adapter: str) -> float:
    """Return the µs of CPU that our gatherer takes for each message of the exchange, until Redis has it."""
    async with (
        redis_asyncio.Redis.from_url(redis_url, decode_responses=True) as redis,
        started("millrace_gatherer", "--agent-id", "GATHERER", "--redis-url", redis_url) as process,
    ):
        await redis.flushall()
        await redis.set("stream.config.GATHERER", json.dumps(_config(exchange, adapter)))
        async with asyncio.timeout(30):
            while len(await _streams(redis)) < 2 * len(SYMBOLS):
                await asyncio.sleep(0.1)
        await asyncio.sleep(WARM_UP_S)
        before, cpu = await _taken(redis), cpu_s(process.pid)
        await asyncio.sleep(MEASURE_S)
        return (cpu_s(process.pid) - cpu) / (await _taken(redis) - before) * 1e6


async def _taken(redis: Any) -> int:
    """Count the exchange's messages by the newest entry of each journal: one of trades may hold several."""
    return sum([await _position(redis, name) for name in await _streams(redis)])


async def _position(redis: Any, name: str) -> int:
    entries = await redis.xrevrange(name, count=20)
    if ".watchTrades." not in name:
        return int(entries[0][0].partition("-")[2])
    messages = (json.loads(fields["data"]) for _, fields in entries)
    return int(next(message["data"]["trades"][-1]["id"] for message in messages if message["type"] == "delta"))


async def _streams(redis: Any) -> list[str]:
    names = await redis.zrange("index.journals.BENCH", 0, -1)
    return [name for name in names if not name.startswith("stream.snapshot.")]


async def _peer(name: str, exchange: str, *more: str) -> float:
    """Return the µs of CPU that a peer takes for each message; it measures itself on SIGUSR1."""
    async with started(f"benchmarks.peers.{name}", exchange, ",".join(SYMBOLS), *more) as process:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            await process.stdout.readline()
        await asyncio.sleep(WARM_UP_S)
        process.send_signal(signal.SIGUSR1)
        before = json.loads(await process.stdout.readline())
        await asyncio.sleep(MEASURE_S)
        process.send_signal(signal.SIGUSR1)
        after = json.loads(await process.stdout.readline())
    return float((after["cpu"] - before["cpu"]) / (after["messages"] - before["messages"]) * 1e6)


def _config(exchange: str, adapter: str) -> dict[str, Any]:
    return {
        "agent": {"id": "GATHERER"},
        "exchanges": {"BENCH": {"binance": {"urls": {"base": exchange}, "adapter": adapter}}},
        "workplans": [
            {
                "tenant": "BENCH",
                "exchangeId": "binance",
                "assetPairs": SYMBOLS,
                "dataPoints": ["watchOrderBook", "watchTrades"],
            }
        ],
    }
