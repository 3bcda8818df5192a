"""Six strategies of one magicbox, alone and beside four bad ones: from a trade's publication to their decision.

Three of the bad ones are stopped within their limits, the fourth goes on. Until they are stopped they compete for the
cores, which no isolation of processes can prevent: the first seconds are shown beside the whole minute.
"""

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
SECONDS = 60.0
"""Of one round."""
FIRST_S = 4.0
"""By then the one that raises, the one that leaks and the one that loops are stopped."""
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
        alone.append(await _decisions(folder / f"alone{number}", GOOD))
        beside.append(await _decisions(folder / f"beside{number}", GOOD + BAD))
    figures = []
    for what, until_s, percentile, target in (
        ("p50", SECONDS, 50, None),
        ("p99", SECONDS, 99, 1.2),
        (f"p99 of the first {FIRST_S:g} s", FIRST_S, 99, None),
    ):
        ours, peer = (
            statistics.median(_percentile([ms for at_s, ms in each if at_s <= until_s], percentile) for each in both)
            for both in (beside, alone)
        )
        title = f"six strategies beside four bad ones, trade to decision, {what}"
        figures.append(Figure(title, "ms", ours, peer, "the six alone", target, higher_is_better=False))
    return figures


async def _decisions(folder: Path, names: list[str]) -> list[tuple[float, float]]:
    """Return, for each decision of a run, when its trade was published, s since the first, and how long it took, ms."""
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
        # The stream of requests is trimmed: what is in it is taken while it grows.
        taking = asyncio.create_task(_take_requests(redis, round(SECONDS * TRADES_PER_S) * len(GOOD)))
        expected = await _trade(writer) * len(GOOD)
        async with asyncio.timeout(60):
            took = await taking
        await writer.close()
    if len(took) != expected:
        raise RuntimeError(f"{len(took)} decisions instead of {expected}")
    started_ns = min(published for published, _ in took)
    return [((published - started_ns) / 1e9, (decided - published) / 1e6) for published, decided in took]


async def _take_requests(redis: "redis_asyncio.Redis", expected: int) -> list[tuple[int, int]]:
    """Return when each request's trade was published and when it was decided, once so many requests have come."""
    took: list[tuple[int, int]] = []
    last: bytes | str = "0"
    while len(took) < expected:
        for _, entries in await redis.xread({trader_actions(TENANT): last}, count=1_000, block=1_000):
            took += [_decision(next(iter(fields.values()))) for _, fields in entries]
            last = entries[-1][0]
    return took


def _decision(raw: bytes) -> tuple[int, int]:
    """Return when a request's trade was published and when the request was decided, both in ns."""
    trace = parse_request(raw).trace
    if trace.decided is None or trace.published is None:
        raise RuntimeError("a request without its trace")
    return trace.published, trace.decided


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


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
