"""Footprint of the platform: time to start a service (s), memory of the idle demo (MB)."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure, interleaved
from benchmarks.processes import ROOT, family, proportional_mb, resident_mb
from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port

ROUNDS = 3
START_LIMIT_S = 3.0
MEMORY_LIMIT_MB = 700.0
SETTLE_S = 10.0
DEMO = ("GATHERER", "MAGICBOX", "EXECUTOR", "DBSYNC", "API")
"""The agents of the demo."""
STRATEGIES = 4
"""That magicbox starts, each in a process of its own."""


async def run(folder: Path) -> list[Figure]:
    """Measure the start of each service, then the demo's memory."""
    figures = []
    async with await EmbeddedServer.start(folder / "valkey") as server:
        for kind in ("gatherer", "magicbox", "executor"):
            [seconds] = await interleaved(ROUNDS, lambda kind=kind: _start_s(server.url, kind))
            figures.append(
                Figure(f"start of {kind}", "s", seconds, START_LIMIT_S, "limit", 1.0, higher_is_better=False)
            )
    held, resident = await _demo_mb(folder)
    name = "memory of the idle demo"
    return [
        *figures,
        Figure(name, "MB", held, MEMORY_LIMIT_MB, "limit", 1.0, higher_is_better=False),
        Figure(name, "MB", held, resident, "resident memory, shared pages counted in each process"),
    ]


async def _start_s(redis_url: str, kind: str) -> float:
    """Return the seconds from the command until the heartbeat says that the service and all its units work."""
    redis: Any = redis_asyncio.Redis.from_url(redis_url, decode_responses=True)
    agent = kind.upper()
    config = {"agent": {"id": agent}} | (_strategies() if kind == "magicbox" else {})
    plugins = {"MILLRACE_PLUGIN_DIR": str(ROOT / "benchmarks" / "strategies")}
    await redis.set(f"stream.config.{agent}", json.dumps(config))
    await redis.delete(f"agent.{agent}")
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"millrace_{kind}", "--agent-id", agent, "--redis-url", redis_url),
        env=os.environ | {"MILLRACE_LOG_LEVEL": "error"} | plugins,
    )
    try:
        async with asyncio.timeout(30):
            while not _works(json.loads(await redis.get(f"agent.{agent}") or "{}"), len(config.get("workplans", []))):
                await asyncio.sleep(0.01)
        return time.perf_counter() - started
    finally:
        process.terminate()
        await process.wait()
        await redis.aclose()


def _works(beat: dict[str, Any], units: int) -> bool:
    return beat.get("state") == "running" and [unit["state"] for unit in beat["units"]] == ["live"] * units


def _strategies() -> dict[str, Any]:
    plugins = [
        {"pluginName": "Reflex", "name": f"Reflex{number}", "configuration": {"symbol": "BTC/USDT", "price": 1}}
        for number in range(STRATEGIES)
    ]
    return {"workplans": [{"tenant": "BENCH", "plugins": [plugin], "subscriptions": []} for plugin in plugins]}


async def _demo_mb(folder: Path) -> tuple[float, float]:
    """Return what the demo and all its processes hold once it has settled, the market hardly moving.

    First what the machine holds for them, then the sum of their resident memory.
    """
    port = free_port(0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "demo", "--quiet", "--data-dir", str(folder / "demo")),
        *("--redis-port", str(port), "--simulator-port", "0", "--api-port", "0", "--events-per-second", "10"),
        cwd=ROOT,
    )
    try:
        await _demo_works(f"redis://127.0.0.1:{port}/0")
        await asyncio.sleep(SETTLE_S)
        members = family(process.pid)
        return sum(map(proportional_mb, members)), sum(map(resident_mb, members))
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


async def _demo_works(redis_url: str) -> None:
    """Wait until all agents say that they and their units work."""
    async with (
        asyncio.timeout(60),
        redis_asyncio.Redis.from_url(redis_url, decode_responses=True) as redis,
    ):
        working: set[str] = set()
        while len(working) < len(DEMO):
            with suppress(redis_asyncio.RedisError):  # the server is just starting
                texts = await redis.mget(f"agent.{agent}" for agent in DEMO)
                beats = [json.loads(text) for text in texts if text]
                working = {beat["id"] for beat in beats if _works(beat, len(beat["units"]))}
            await asyncio.sleep(0.1)
