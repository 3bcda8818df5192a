"""Footprint of the platform: time to start a service (s), memory of the idle demo (MB)."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure, interleaved
from benchmarks.processes import family, resident_mb
from millrace_bus import EmbeddedServer

ROUNDS = 3
START_LIMIT_S = 3.0
MEMORY_LIMIT_MB = 700.0
SETTLE_S = 20.0
ROOT = Path(__file__).resolve().parent.parent


async def run(folder: Path) -> list[Figure]:
    """Measure the start of each service, then the demo's memory."""
    figures = []
    async with await EmbeddedServer.start(folder / "valkey") as server:
        for kind in ("gatherer", "magicbox", "executor"):
            [seconds] = await interleaved(ROUNDS, lambda kind=kind: _start_s(server.url, kind))
            figures.append(
                Figure(f"start of {kind}", "s", seconds, START_LIMIT_S, "limit", 1.0, higher_is_better=False)
            )
    memory = await _demo_mb(folder)
    figures.append(
        Figure("memory of the idle demo", "MB", memory, MEMORY_LIMIT_MB, "limit", 1.0, higher_is_better=False)
    )
    return figures


async def _start_s(redis_url: str, kind: str) -> float:
    """Return the seconds from the command until the heartbeat says that the service runs."""
    redis: Any = redis_asyncio.Redis.from_url(redis_url, decode_responses=True)
    agent = kind.upper()
    await redis.set(f"stream.config.{agent}", f'{{"agent":{{"id":"{agent}"}}}}')
    await redis.delete(f"agent.{agent}")
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"millrace_{kind}", "--agent-id", agent, "--redis-url", redis_url),
        env=os.environ | {"MILLRACE_LOG_LEVEL": "error"},
    )
    try:
        async with asyncio.timeout(30):
            while '"state":"running"' not in (await redis.get(f"agent.{agent}") or ""):
                await asyncio.sleep(0.01)
        return time.perf_counter() - started
    finally:
        process.terminate()
        await process.wait()
        await redis.aclose()


async def _demo_mb(folder: Path) -> float:
    """Return the resident memory of the demo and all its processes once it has settled, the market hardly moving."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "demo", "--quiet", "--data-dir", str(folder / "demo")),
        *("--redis-port", "0", "--simulator-port", "0", "--api-port", "0", "--events-per-second", "10"),
        cwd=ROOT,
    )
    await asyncio.sleep(SETTLE_S)
    total = sum(resident_mb(pid) for pid in family(process.pid))
    process.send_signal(signal.SIGINT)
    await process.wait()
    return total
