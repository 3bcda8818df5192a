"""CPU time for each market message: our gatherer against decoding alone, and against ccxt alone.

One simulator sends four symbols' books and trades; each reader runs by itself, warms up, and is then measured.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure, interleaved
from benchmarks.processes import cpu_s
from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli.processes import listening

ROUNDS = 3
WARM_UP_S = 3.0
MEASURE_S = 8.0
SYMBOLS = ["BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT"]
BUSY = {"eventsPerSecond": 1500, "depthIntervalMs": 10, "limits": {"enforce": False}}
ROOT = Path(__file__).resolve().parent.parent


async def run(folder: Path) -> list[Figure]:
    """Measure all three in turn."""
    port = free_port(0)
    settings = folder / "simulator.json"
    settings.write_text(json.dumps(BUSY))
    simulator = await _start("millrace_simulator", "--port", str(port), "--config", str(settings))
    url = f"http://127.0.0.1:{port}"
    try:
        await listening(port, 20)
        async with await EmbeddedServer.start(folder / "valkey") as valkey:
            ours, decode, ccxt = await interleaved(
                ROUNDS,
                lambda: _gatherer(valkey.url, url),
                lambda: _peer("decode_only", url),
                lambda: _peer("bare_ccxt", url),
            )
    finally:
        simulator.terminate()
        await simulator.wait()
    return [
        Figure("feed, CPU a message", "µs", ours, decode, "picows + msgspec, decoded only", higher_is_better=False),
        Figure("feed, CPU a message", "µs", ours, ccxt, "ccxt.pro alone", higher_is_better=False),
    ]


async def _gatherer(redis_url: str, exchange: str) -> float:
    """Return the µs of CPU that our gatherer takes for each message that it publishes."""
    redis: Any = redis_asyncio.Redis.from_url(redis_url, decode_responses=True)
    await redis.flushall()
    await redis.set("stream.config.GATHERER", json.dumps(_config(exchange)))
    process = await _start("millrace_gatherer", "--agent-id", "GATHERER", "--redis-url", redis_url)
    try:
        async with asyncio.timeout(30):
            while len(await _streams(redis)) < 2 * len(SYMBOLS):
                await asyncio.sleep(0.1)
        await asyncio.sleep(WARM_UP_S)
        before, cpu = await _published(redis), cpu_s(process.pid)
        await asyncio.sleep(MEASURE_S)
        return (cpu_s(process.pid) - cpu) / (await _published(redis) - before) * 1e6
    finally:
        process.terminate()
        await process.wait()
        await redis.aclose()


async def _published(redis: Any) -> int:
    """Count the messages by the newest number of each journal."""
    names = await _streams(redis)
    return sum([int((await redis.xrevrange(name, count=1))[0][0].partition("-")[2]) for name in names])


async def _streams(redis: Any) -> list[str]:
    names = await redis.zrange("index.journals.BENCH", 0, -1)
    return [name for name in names if not name.startswith("stream.snapshot.")]


async def _peer(name: str, exchange: str) -> float:
    """Return the µs of CPU that a peer takes for each message; it measures itself on SIGUSR1."""
    process = await _start(f"benchmarks.peers.{name}", exchange, ",".join(SYMBOLS))
    assert process.stdout is not None
    async with asyncio.timeout(60):
        await process.stdout.readline()
    await asyncio.sleep(WARM_UP_S)
    process.send_signal(signal.SIGUSR1)
    before = json.loads(await process.stdout.readline())
    await asyncio.sleep(MEASURE_S)
    process.send_signal(signal.SIGUSR1)
    after = json.loads(await process.stdout.readline())
    process.kill()
    await process.wait()
    return float((after["cpu"] - before["cpu"]) / (after["messages"] - before["messages"]) * 1e6)


async def _start(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env=os.environ | {"MILLRACE_LOG_LEVEL": "error"},
        stdout=asyncio.subprocess.PIPE,
    )


def _config(exchange: str) -> dict[str, Any]:
    return {
        "agent": {"id": "GATHERER"},
        "exchanges": {"BENCH": {"binance": {"urls": {"base": exchange}}}},
        "workplans": [
            {
                "tenant": "BENCH",
                "exchangeId": "binance",
                "assetPairs": SYMBOLS,
                "dataPoints": ["watchOrderBook", "watchTrades"],
            }
        ],
    }
