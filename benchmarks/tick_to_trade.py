"""From a tick to the order that it causes, at the exchange: ours against two stacks as plain as can be.

The exchange is the simulator in this process, its market standing still but for the ticks. A tick is a new best
bid whose amount numbers it; the strategy sends an order of that amount, which identifies the tick of each order.
All stacks run side by side on a symbol each and are driven in turn, so each is measured while the others idle.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import redis.asyncio as redis_asyncio
from msgspec.structs import replace

from benchmarks.figures import Figure
from millrace_bus import EmbeddedServer
from millrace_matching import OrderType, Side
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import Server, serve
from millrace_simulator.venue import AccountSettings, ExecutionReport, ExecutionType, Listener, OrderRef, OrderRequest

ROUNDS = 3
TICKS_PER_ROUND = int(os.environ.get("BENCH_TICKS", "400"))
RATES = (50, 300)
WARM_UP_TICKS = 50
TARGET = 1.5
LEAN_TARGETS = {50: 1.2, 99: 1.5}
"""By percentile, beside the leanest stack."""
QUIET_S = 0.5
"""Without an order for this long, no more orders are expected."""
ROOT = Path(__file__).resolve().parent.parent
OURS, PEERS, LEAN = "BTCUSDT", "ETHUSDT", "ETCUSDT"
PEER = "picows + redis-py + aiohttp"
LEANEST = "picows + hiredis protocol + picows"
MARKETS = {OURS: "our", PEERS: "peer", LEAN: "lean"}
"""Whose each market is."""
_LOT = Decimal("0.0001")
_BASE = Decimal("0.1")


class Exchange(Listener):
    """The simulator, driven tick by tick."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.venue = server.venue
        self._maker = self.venue.account_by_key("maker-key")
        self._traders = {
            self.venue.account_by_key(key).account_id for key in (f"{name}-key" for name in MARKETS.values())
        }
        self._open: dict[str, int] = {}
        self._sent: dict[Decimal, int] = {}
        self._prices: dict[str, Decimal] = {}
        self._number = 0
        self.latencies: list[int] = []
        self.venue.listen(self)

    def on_execution(self, report: ExecutionReport) -> None:
        """Note the time when an order arrives."""
        if report.account_id in self._traders and report.execution_type is ExecutionType.NEW:
            sent = self._sent.pop(report.order.quantity, None)
            if sent is not None:
                self.latencies.append(time.perf_counter_ns() - sent)

    def tick(self, market: str) -> None:
        """Publish a new best bid."""
        self._number += 1
        amount = _BASE + self._number * _LOT
        if market in self._open:
            self.venue.cancel(self._maker, market, OrderRef(order_id=self._open[market]))
        request = OrderRequest(
            symbol=market, side=Side.BUY, type=OrderType.LIMIT, quantity=amount, price=self.price(market)
        )
        self._open[market] = self.venue.place(self._maker, request).order.order_id
        self._sent[amount] = time.perf_counter_ns()
        self.venue.end_step()

    def price(self, market: str) -> Decimal:
        """Return the price of the ticks: always the best, never crossing."""
        if market not in self._prices:
            instrument = self.venue.instrument(market)
            best = instrument.depth(1).bids[0][0]
            self._prices[market] = instrument.scale.price(best + 1)
        return self._prices[market]

    async def drive(self, market: str, rate: float, ticks: int) -> list[float]:
        """Tick at a rate; return the latencies in ms."""
        self.latencies, self._sent = [], {}
        start = time.perf_counter()
        for number in range(ticks):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            self.tick(market)
        # Under load a tick may be superseded before the strategy decides on it: it is done when nothing more comes.
        seen = -1
        while seen != len(self.latencies):
            seen = len(self.latencies)
            await asyncio.sleep(QUIET_S)
        return [ns / 1e6 for ns in self.latencies]


async def run(folder: Path) -> list[Figure]:
    """Measure at both rates."""
    async with running(folder) as (exchange, _):
        return [figure for rate in RATES for figure in await _at(rate, exchange)]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Exchange, str]]:
    """Run the exchange and all stacks; return the exchange and the URL of Redis."""
    listed = {rules.symbol: rules for rules in SimulatorConfig().symbols}
    config = SimulatorConfig(
        depth_interval_ms=1,
        symbols=(listed[OURS], listed[PEERS], replace(listed[PEERS], symbol=LEAN, base="ETC")),
        book_levels=0,
        accounts=tuple(_account(name) for name in ("maker", *MARKETS.values())),
        limits=Limits(enforce=False),
    )
    async with (
        await serve(config, drive_market=False) as server,
        await EmbeddedServer.start(folder / "valkey") as valkey,
    ):
        exchange = Exchange(server)
        async with _processes(folder, valkey.url, exchange):
            yield exchange, valkey.url


async def _at(rate: int, exchange: Exchange) -> list[Figure]:
    taken: dict[str, list[list[float]]] = {market: [] for market in MARKETS}
    for _ in range(ROUNDS):
        for market, rounds in taken.items():
            rounds.append(await exchange.drive(market, rate, TICKS_PER_ROUND))
    return [figure for peer, name in ((PEERS, PEER), (LEAN, LEANEST)) for figure in _figures(rate, taken, peer, name)]


def _figures(rate: int, taken: dict[str, list[list[float]]], peer: str, peer_name: str) -> list[Figure]:
    both = [taken[OURS], taken[peer]]
    shares = [100 * sum(map(len, rounds)) / (ROUNDS * TICKS_PER_ROUND) for rounds in both]
    figures = [Figure(f"ticks that became orders at {rate}/s", "%", *shares, peer_name)]
    for percentile in LEAN_TARGETS:
        values = [
            statistics.median(statistics.quantiles(round_, n=100)[percentile - 1] for round_ in rounds)
            for rounds in both
        ]
        name, target = f"tick to trade at {rate}/s, p{percentile}", _target(rate, percentile, peer)
        figures.append(Figure(name, "ms", *values, peer_name, target, higher_is_better=False))
    return figures


def _target(rate: int, percentile: int, peer: str) -> float | None:
    if peer == LEAN:
        return LEAN_TARGETS[percentile]
    return TARGET if (rate, percentile) == (RATES[0], 50) else None


def _account(name: str) -> AccountSettings:
    riches = {asset: Decimal(10**9) for asset in ("USDT", "BTC", "ETH", "ETC")}
    return AccountSettings(api_key=f"{name}-key", secret=f"{name}-secret", balances=riches)


@asynccontextmanager
async def _processes(folder: Path, redis_url: str, exchange: Exchange) -> AsyncIterator[None]:
    """Run all stacks until each has answered its first ticks."""
    redis: Any = redis_asyncio.Redis.from_url(redis_url)
    for key, config in configs(exchange).items():
        await redis.set(f"stream.config.{key}", json.dumps(config))
    await redis.aclose()
    far = {market: str((exchange.price(market) / 2).quantize(Decimal("0.01"))) for market in MARKETS}
    commands = [
        [f"millrace_{name}", "--agent-id", name.upper(), "--redis-url", redis_url, f"--die-with-parent={os.getpid()}"]
        for name in ("gatherer", "magicbox", "executor")
    ] + [
        [f"benchmarks.peers.{stack}", part, redis_url, exchange.server.url, market, far[market]]
        for stack, market in (("stack", PEERS), ("lean_stack", LEAN))
        for part in ("feed", "strategy", "orders")
    ]
    environment = os.environ | {
        "MILLRACE_PLUGIN_DIR": str(ROOT / "benchmarks" / "strategies"),
        # A database of its own: in another one the executor would find halts, and the Redis that it knew.
        "MILLRACE_DATABASE_URL": f"sqlite:///{folder / 'millrace.db'}",
    }
    log = (folder / "processes.log").open("ab")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        for command in commands
    ]
    try:
        for market in MARKETS:
            await warm(exchange, market, folder / "processes.log")
        yield
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))
        log.close()


async def warm(exchange: Exchange, market: str, log: Path) -> None:
    """Tick until orders come back, then some more."""
    exchange.latencies = []
    deadline = time.monotonic() + 30
    while len(exchange.latencies) < WARM_UP_TICKS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no orders come back for {market}:\n{log.read_text()[-3_000:]}")
        exchange.tick(market)
        await asyncio.sleep(0.02)


def configs(exchange: Exchange) -> dict[str, dict[str, Any]]:
    """Return the configuration of each of our agents."""
    account = {"apiKey": "our-key", "secret": "our-secret", "urls": {"base": exchange.server.url}}
    far = str((exchange.price(OURS) / 2).quantize(Decimal("0.01")))
    return {
        "GATHERER": {
            "agent": {"id": "GATHERER"},
            "exchanges": {"BENCH": {"binance": {"urls": {"base": exchange.server.url}}}},
            "workplans": [
                {
                    "tenant": "BENCH",
                    "exchangeId": "binance",
                    "assetPairs": ["BTC/USDT"],
                    "dataPoints": ["watchOrderBook"],
                }
            ],
        },
        "MAGICBOX": {
            "agent": {"id": "MAGICBOX"},
            "workplans": [
                {
                    "tenant": "BENCH",
                    "plugins": [{"pluginName": "Reflex", "configuration": {"symbol": "BTC/USDT", "price": far}}],
                    "subscriptions": [{"exchangeId": "binance", "symbol": "BTC/USDT", "dataPoint": "watchOrderBook"}],
                }
            ],
        },
        "EXECUTOR": {"agent": {"id": "EXECUTOR"}, "exchanges": {"BENCH": {"binance": account}}},
    }
