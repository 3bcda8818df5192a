"""Six strategies of one magicbox, alone and beside four bad ones: from a trade's publication to their decision."""

import asyncio
import contextlib
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure
from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.clock import now_ms, now_ns
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.names import AgentId, StreamName, Tenant, trader_actions
from millrace_core.requests import parse_request
from millrace_core.trace import Trace

ROUNDS = 3
SECONDS = 20.0
"""Of one round; the one that loops is stopped within the first third."""
TRADES_PER_S = 50
LIMITS = {"stallSeconds": 2, "memoryMb": 200}
GOOD = [f"Buyer{number}" for number in range(6)]
BAD = ["Raising", "Looping", "Leaking", "Napping"]
AGENT, TENANT = AgentId("MAGICBOX"), Tenant("BENCH")
TRADES = StreamName.parse(f"stream.{TENANT}.binance.watchTrades.BTC/USDT")
STRATEGIES = Path(__file__).parent / "strategies"


async def run(folder: Path) -> list[Figure]:
    """Measure both in turn."""
    alone, beside = [], []
    for number in range(ROUNDS):
        alone.append(await _percentiles(folder / f"alone{number}", GOOD))
        beside.append(await _percentiles(folder / f"beside{number}", GOOD + BAD))
    figures = []
    for index, (name, target) in enumerate((("p50", None), ("p99", 1.2))):
        ours, peer = (statistics.median(each[index] for each in both) for both in (beside, alone))
        title = f"six strategies beside four bad ones, trade to decision, {name}"
        figures.append(Figure(title, "ms", ours, peer, "the six alone", target, higher_is_better=False))
    return figures


async def _percentiles(folder: Path, names: list[str]) -> tuple[float, float]:
    """Return p50 and p99 in ms of a run with these strategies."""
    async with (
        await EmbeddedServer.start(folder) as server,
        Bus.connect(server.url, name="bench") as bus,
        _magicbox(server.url),
        redis_asyncio.Redis.from_url(server.url) as redis,
    ):
        await _configure(bus, names)
        writer = bus.writer(TRADES, lambda as_of: TradesSnapshot([], str(as_of)))
        await writer.open()
        await _live(bus, len(names))
        count = await _trade(writer)
        await writer.close()
        expected = count * len(GOOD)
        async with asyncio.timeout(60):
            while await redis.xlen(trader_actions(TENANT)) < expected:
                await asyncio.sleep(0.1)
        entries = await redis.xrange(trader_actions(TENANT))
    took = sorted(_decision_ms(next(iter(fields.values()))) for _, fields in entries)
    if len(took) != expected:
        raise RuntimeError(f"{len(took)} decisions instead of {expected}")
    return took[len(took) // 2], took[int(len(took) * 0.99)]


def _decision_ms(raw: bytes) -> float:
    trace = parse_request(raw).trace
    if trace.decided is None or trace.published is None:
        raise RuntimeError("a request without its trace")
    return (trace.decided - trace.published) / 1e6


@contextlib.asynccontextmanager
async def _magicbox(url: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_magicbox", "--agent-id", AGENT, "--redis-url", url),
        *("--plugin-dir", str(STRATEGIES), "--log-level", "error", "--die-with-parent", str(os.getpid())),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _configure(bus: Bus, names: list[str]) -> None:
    plugins = [{"pluginName": name.rstrip("0123456789"), "name": name, "limits": LIMITS} for name in names]
    subscription = {"exchangeId": "binance", "symbol": "BTC/USDT", "dataPoint": "watchTrades"}
    workplan = {"tenant": TENANT, "plugins": plugins, "subscriptions": [subscription]}
    await bus.put_config(AGENT, json.dumps({"agent": {"id": AGENT}, "workplans": [workplan]}))


async def _live(bus: Bus, count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            for beat in await bus.heartbeats():
                if [unit.state for unit in beat.units] == ["live"] * count:
                    return
            await asyncio.sleep(0.05)


async def _trade(writer: StreamWriter) -> int:
    """Publish trades at an even rate; return how many."""
    loop = asyncio.get_running_loop()
    started, count = loop.time(), 0
    while (due := started + count / TRADES_PER_S) < started + SECONDS:
        await asyncio.sleep(max(0.0, due - loop.time()))
        count += 1
        trade = Trade(str(count), now_ms(), "BTC/USDT", "buy", float(count), 1.0)
        writer.delta(TradesDelta([trade]), timestamp=now_ms(), trace=Trace(received=now_ns()))
    return count
