"""What an order takes through the executor, its ledger included, beside what the bare transport takes for it.

The executor is a process of its own with two accounts, one by each adapter. Its time is that between two stamps of its
answers' traces: from reading a request in Redis (`accepted`) until the exchange's answer is read (`acknowledged`).
Orders go one after the other, each of ours followed by one of each peer's, and none of them fills.

No order leaves before Redis has its intent, so one question to Redis comes before the one to the exchange: what both
take by themselves is the limit for an exchange that is as near as Redis.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure
from benchmarks.peers.bare_orders import PRICE, SYMBOL, bare_ccxt, bare_socket
from benchmarks.processes import ROOT
from millrace_bus import Bus, EmbeddedServer, Fence, Update
from millrace_bus.server.ports import free_port
from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_core.trace import Trace
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.venue import AccountSettings

ROUNDS: Final = 5
ORDERS: Final = int(os.environ.get("BENCH_ORDERS", "200"))
"""Orders of a round."""
WARM_UP: Final = 100
TARGET: Final = 1.3
ADAPTERS: Final = ("native", "ccxt")
AGENT: Final = "EXECUTOR"
_PAYLOAD: Final = CreatePayload(
    symbol=SYMBOL, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(PRICE), time_in_force="IOC"
)
Place = Callable[[], Awaitable[float]]
"""Places one order; returns what it took, in ms."""


class Trader:
    """Sends one tenant's orders to the executor, one after the other."""

    def __init__(self, bus: Bus, tenant: Tenant) -> None:
        self._bus, self._tenant = bus, tenant
        self._answers: asyncio.Queue[tuple[Response, Trace]] = asyncio.Queue()
        self.answered: list[float] = []
        """What each order took from its request to its answer, both in Redis, in ms."""
        name = StreamName(tenant, ExchangeId("binance"), Action("createOrder"), Symbol(SYMBOL))
        self._follower = bus.follow(name, self._take, from_start=True)

    def _take(self, update: Update) -> None:
        if update.kind == "response":
            self._answers.put_nowait((msgspec.convert(update.data, Response), update.trace))

    async def place(self) -> float:
        """Place one order; return how long the executor took until the exchange's answer, ms."""
        begun_s = time.perf_counter()
        request = CreateOrder(exchange_id="binance", requested_at=now_ms(), payload=_PAYLOAD)
        self._bus.requests.publish(self._tenant, request)
        async with asyncio.timeout(30):
            response, trace = await self._answers.get()
        if response.status != "done" or trace.accepted is None or trace.acknowledged is None:
            raise RuntimeError(f"the order is {response.status}: {response.error}")
        self.answered.append((time.perf_counter() - begun_s) * 1_000)
        return (trace.acknowledged - trace.accepted) / 1e6


async def run(folder: Path) -> list[Figure]:
    """Measure all in turn."""
    async with (
        _exchange(folder) as exchange,
        await EmbeddedServer.start(folder / "valkey") as valkey,
        Bus.connect(valkey.url) as bus,
        _executor(folder, bus, exchange),
        bare_socket(exchange, "peer-key", "peer-secret") as socket,
        bare_ccxt(exchange, "peer-key", "peer-secret") as client,
    ):
        native, through_ccxt = (Trader(bus, Tenant(adapter.upper())) for adapter in ADAPTERS)

        async def by_ccxt() -> None:
            await client.create_order(SYMBOL, "limit", "buy", 1, float(PRICE), {"timeInForce": "IOC"})

        claim = await _claiming(bus)
        taken = await _rounds(native.place, _timed(socket.place), through_ccxt.place, _timed(by_ccxt), _timed(claim))
    both = [[sum(pair) for pair in zip(*rounds, strict=True)] for rounds in zip(taken[1], taken[4], strict=True)]
    bare = ("picows, order.place alone", "ccxt's create_order alone")
    figures = [
        *_figures("order, native", taken[0], taken[1], bare[0], TARGET),
        *_figures("order, native", taken[0], both, "the same and a claim in Redis", None),
        *_figures("order, ccxt", taken[2], taken[3], bare[1], TARGET),
    ]
    for name, trader, peer, peer_name in zip(ADAPTERS, (native, through_ccxt), (taken[1], taken[3]), bare, strict=True):
        answered = [trader.answered[WARM_UP:]]
        figures += _figures(f"request to answer in Redis, {name}", answered, peer, peer_name, None)
    return figures


async def _claiming(bus: Bus) -> Callable[[], Awaitable[None]]:
    """Return a function that claims one request in the ledger of a tenant whom no executor serves."""
    tenant = Tenant("NOBODY")
    token = (await bus.leases.take(tenant, "bench", None)).token or 0

    async def claim() -> None:
        intent = msgspec.json.encode([now_ms(), _PAYLOAD, "x" * 300])
        await bus.intents.claim(Fence(tenant, token), ExchangeId("binance"), new_request_id(), intent)

    return claim


def _timed(place: Callable[[], Awaitable[None]]) -> Place:
    async def timed() -> float:
        begun_s = time.perf_counter()
        await place()
        return (time.perf_counter() - begun_s) * 1_000

    return timed


async def _rounds(*places: Place) -> list[list[list[float]]]:
    """Return what each order took, by place and round."""
    for place in places:
        for _ in range(WARM_UP):
            await place()
    taken: list[list[list[float]]] = [[[] for _ in range(ROUNDS)] for _ in places]
    for number in range(ROUNDS):
        for _ in range(ORDERS):
            for rounds, place in zip(taken, places, strict=True):
                rounds[number].append(await place())
    return taken


def _figures(
    title: str, ours: list[list[float]], peer: list[list[float]], peer_name: str, target: float | None
) -> list[Figure]:
    return [
        Figure(f"{title}, p{at}", "ms", _at(ours, at), _at(peer, at), peer_name, limit, higher_is_better=False)
        for at, limit in ((50, target), (99, None))
    ]


def _at(rounds: list[list[float]], percentile: int) -> float:
    return statistics.median(statistics.quantiles(values, n=100)[percentile - 1] for values in rounds)


@asynccontextmanager
async def _exchange(folder: Path) -> AsyncIterator[str]:
    """Run the exchange in a process of its own; return its address."""
    accounts = tuple(_account(name) for name in (*ADAPTERS, "peer"))
    listed = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == SYMBOL.replace("/", ""))
    config = SimulatorConfig(events_per_second=0, accounts=accounts, symbols=listed, limits=Limits(enforce=False))
    (folder / "exchange.json").write_bytes(msgspec.json.encode(config))
    port = free_port(0)
    options = ("--config", str(folder / "exchange.json"), "--port", str(port))
    async with _process(folder, "millrace_simulator", *options):
        await _listens(port)
        yield f"http://127.0.0.1:{port}"


def _account(name: str) -> AccountSettings:
    return AccountSettings(api_key=f"{name}-key", secret=f"{name}-secret", balances={"USDT": Decimal(10**9)})


@asynccontextmanager
async def _executor(folder: Path, bus: Bus, exchange: str) -> AsyncIterator[None]:
    """Run the executor, from when it trades on both accounts."""
    config = {"agent": {"id": AGENT}, "exchanges": {each.upper(): _configured(each, exchange) for each in ADAPTERS}}
    redis: Any = redis_asyncio.Redis.from_url(bus.url)
    await redis.set(f"stream.config.{AGENT}", json.dumps(config))
    await redis.aclose()
    options = ("--agent-id", AGENT, "--redis-url", bus.url, f"--die-with-parent={os.getpid()}")
    async with _process(folder, "millrace_executor", *options):
        async with asyncio.timeout(60):
            while not await _trades(bus):
                await asyncio.sleep(0.1)
        yield


def _configured(adapter: str, exchange: str) -> dict[str, Any]:
    keys = {"apiKey": f"{adapter}-key", "secret": f"{adapter}-secret"}
    return {"binance": {**keys, "urls": {"base": exchange}, "adapter": adapter}}


async def _trades(bus: Bus) -> bool:
    live = {unit.name for heartbeat in await bus.heartbeats() for unit in heartbeat.units if unit.state == "live"}
    return live >= {f"{adapter.upper()}.binance" for adapter in ADAPTERS}


async def _listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@asynccontextmanager
async def _process(folder: Path, module: str, *options: str) -> AsyncIterator[None]:
    # A database of its own: in another one the executor would find halts, and the Redis that it knew.
    environment = os.environ | {"MILLRACE_DATABASE_URL": f"sqlite:///{folder / 'millrace.db'}"}
    with (folder / f"{module}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *options), cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
