"""A campaign: an executor that acts is disturbed, another takes over, and what happened is compared."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import redis.asyncio
from tests.support.exchanges import EXCHANGES, SYMBOL, TradedExchange
from tests.takeovers.answers import Answers
from tests.takeovers.executors import TENANT, Executors

from millrace_bus import Bus, EmbeddedServer
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_simulator.config import Limits
from millrace_simulator.server import Server, serve

KINDS = ("kill", "freeze", "end", "replace")
ORDERS_PER_S = 3
BURST = 8
"""Requests sent right before a fault, so that some are under way."""
ORDER = CreatePayload(
    symbol=SYMBOL, side="buy", type="limit", amount_base=1, price=5, time_in_force="IOC", order_source="PingPong"
)
"""It finds nothing at this price and ends at once, so that no balance is used up."""


@dataclass
class Figures:
    """What a campaign found."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    """By kind, how long after each fault another executor had answered a request."""
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def all_seconds(self) -> list[float]:
        """Return the time of every take-over."""
        return [each for times in self.seconds.values() for each in times]

    def summary(self) -> str:
        """Return the figures for a person."""
        lines = [
            f"{kind:8} {len(times):4} take-overs, p50 {median(times):.2f} s, max {max(times):.2f} s"
            for kind, times in [*self.seconds.items(), ("all", self.all_seconds)]
        ]
        lines.append(f"{self.sent} requests: {dict(self.statuses)}")
        return "\n".join([*lines, *self.violations, f"{len(self.violations)} violations"])


class Campaign:
    """Forces take-overs, one after the other, while requests are sent."""

    def __init__(
        self, bus: Bus, executors: Executors, answers: Answers, simulator: Server, exchange: TradedExchange, seed: int
    ) -> None:
        self._bus = bus
        self._executors = executors
        self._answers = answers
        self._simulator = simulator
        self._exchange = exchange
        self._order = CreateOrder(exchange_id=exchange.id, valid_for=120_000, payload=ORDER)
        self._random = random.Random(seed)
        self._ids: list[str] = []
        self.figures = Figures()

    async def run(self, takeovers: int, progress: Callable[[str], None]) -> Figures:
        """Force so many take-overs, and compare what happened."""
        for _ in range(2):
            await self._executors.start()
        await self._executors.acting()
        with self._load():
            for number in range(takeovers):
                kind = KINDS[number % len(KINDS)]
                await self._executors.standby()
                await asyncio.sleep(self._random.uniform(0, 1))  # The moment of a fault is any.
                took_s = await self._force(kind)
                self.figures.seconds.setdefault(kind, []).append(took_s)
                await self._answers.read()
                progress(f"{number + 1}/{takeovers} {kind}: {took_s:.2f} s")
        await self._settled()
        self._compare()
        return self.figures

    async def _force(self, kind: str) -> float:
        acting = await self._executors.acting()
        if kind == "replace":
            await self._executors.standby()
        for _ in range(BURST):
            self._send()
        await asyncio.sleep(self._random.uniform(0, 0.05))
        token, begun = await self._executors.token(), time.monotonic()
        acting.signal({"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}.get(kind, signal.SIGTERM))
        if kind == "replace":
            await self._executors.start()
        async with asyncio.timeout(30):
            await self._executors.taken_over(token)
            await self._answers.of(self._send())
        took_s = time.monotonic() - begun
        if kind == "freeze":
            await asyncio.sleep(self._random.uniform(0, 2))
            acting.signal(signal.SIGCONT)
            return took_s
        await self._executors.gone(acting)
        if kind != "replace":
            await self._executors.start()
        return took_s

    def _send(self) -> str:
        request_id = self._bus.requests.publish(TENANT, self._order)
        self._ids.append(request_id)
        return request_id

    @contextmanager
    def _load(self) -> Iterator[None]:
        async def load() -> None:
            while True:
                self._send()
                await asyncio.sleep(1 / ORDERS_PER_S)

        task = asyncio.create_task(load())
        try:
            yield
        finally:
            task.cancel()

    async def _settled(self) -> None:
        """Wait until all requests are answered, or it has taken too long; nothing that comes later is missed."""
        try:
            async with asyncio.timeout(self._exchange.settled_s):
                for request_id in self._ids:
                    await self._answers.of(request_id)
        except TimeoutError:
            pass
        await asyncio.sleep(1)
        await self._answers.read()

    def _compare(self) -> None:
        placed = self._exchange.orders(self._simulator, limit=2 * len(self._ids))
        orders = Counter(order.client_order_id for order in placed)
        for request_id in self._ids:
            status = self._answers.status.get(request_id, "none")
            self.figures.statuses[status] += 1
            self._judge(request_id, status, orders[request_id])
        if foreign := orders.keys() - set(self._ids):
            self.figures.violations.append(f"orders that nobody asked for: {foreign}")
        self.figures.sent = len(self._ids)

    def _judge(self, request_id: str, status: str, orders: int) -> None:
        journaled, published = self._answers.journaled[request_id], self._answers.published[request_id]
        found = {
            "doubled": orders > 1,
            "false": orders != int(status == "done"),
            "unanswered": journaled == 0,
            "answered twice": journaled > 1 or published > 1,
        }
        if wrong := [what for what, holds in found.items() if holds]:
            counts = f"{orders} orders, {status}, {journaled} in the journal, {published} on the channel"
            self.figures.violations.append(f"{request_id}: {', '.join(wrong)} ({counts})")


@asynccontextmanager
async def campaign(folder: Path, seed: int, exchange: TradedExchange = EXCHANGES["binance"]) -> AsyncIterator[Campaign]:
    """Start everything that a campaign needs."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        settings = exchange.config(seed, limits=Limits(enforce=False))
        simulator = await stack.enter_async_context(await serve(settings, drive_market=False))
        bus = await stack.enter_async_context(Bus.connect(server.url, name="takeovers"))
        client: Any = redis.asyncio.Redis.from_url(server.url)
        await stack.enter_async_context(client)
        answers = Answers(client, f"stream.{TENANT}.{exchange.id}.createOrder.{SYMBOL}")
        stack.push_async_callback(answers.close)
        await answers.listen()

        def config(agent: str) -> dict[str, object]:
            return {"agent": {"id": agent}, "exchanges": {TENANT: {exchange.id: exchange.account(simulator.url)}}}

        executors = Executors(bus, client, config, f"sqlite:///{folder / 'millrace.db'}", folder, exchange.id)
        stack.push_async_callback(executors.close)
        yield Campaign(bus, executors, answers, simulator, exchange, seed)
