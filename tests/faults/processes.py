"""The parts of a schedule: a Redis, executors, a gatherer, the exchange, the line to it; and what fails of them."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tests.faults.others import interfere
from tests.faults.plan import BY_OTHERS, TENANT, Event, Part, Plan, faults_of
from tests.support.exchanges import EXCHANGES, SYMBOL
from tests.support.proxy import Proxy
from tests.support.services import start_service

from millrace_bus import EmbeddedServer
from millrace_core.clock import now_ms
from millrace_core.names import halt_key, trader_actions
from millrace_simulator.faults import FaultKind, FaultRule
from millrace_simulator.server import Server, serve
from millrace_simulator.venue.clock import WallClock

AGENTS = ("EXECUTOR", "EXECUTOR2")
GATHERER = "GATHERER"
RESUME = '{"action":"resume","validFor":60000,"payload":{"by":"campaign"}}'
NOTICED_S = 10.0
"""How long executors may take to notice that Redis lost its data."""


class Processes:
    """Two executors with the same accounts, of which one runs or both, and perhaps a gatherer."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._folder = folder
        self._redis_url = redis_url
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, agent: str) -> None:
        """Start one, unless it runs."""
        if agent in self._running:
            return
        log, options = self._folder / f"{agent}.log", ("--database-url", f"sqlite:///{self._folder / 'millrace.db'}")
        kind, options = ("gatherer", ()) if agent == GATHERER else ("executor", options)
        self._running[agent] = await start_service(kind, agent, self._redis_url, log, *options)

    def send(self, agent: str, number: signal.Signals) -> None:
        """Send one a signal."""
        with suppress(ProcessLookupError, KeyError):
            self._running[agent].send_signal(number)

    async def end(self, agent: str, number: signal.Signals) -> None:
        """End one with a signal, and wait for that."""
        process = self._running.pop(agent, None)
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
            # One that is frozen takes no other signal.
            process.send_signal(signal.SIGCONT)
        await process.wait()

    async def close(self) -> None:
        """End all, those that are frozen too."""
        for agent in tuple(self._running):
            await self.end(agent, signal.SIGKILL)


class Platform:
    """Everything that runs in a schedule."""

    def __init__(
        self,
        plan: Plan,
        redis: EmbeddedServer,
        client: Redis,
        exchange: Server,
        line: Proxy,
        processes: Processes,
        database: Path,
    ) -> None:
        self.plan = plan
        self.redis = redis
        self.client = client
        self.exchange = exchange
        self.line = line
        self.processes = processes
        self.database = database
        self.lost_ms = 0
        """When Redis last lost its data; 0 if it never did."""
        self.redis_fails = asyncio.Lock()
        self._configured = 0
        self._account: dict[str, Any] = {}
        self.exchange_id = ""

    async def begin(self) -> None:
        """Configure and start the first executor, and the gatherer if there is to be one."""
        exchange = EXCHANGES[self.plan.exchange]
        self._account = exchange.account(await self.line.listen()) | {"adapter": self.plan.adapter}
        self.exchange_id = exchange.id
        await self.configure()
        await self.processes.start(AGENTS[0])
        if self.plan.with_gatherer:
            await self.processes.start(GATHERER)

    async def suffer(self, event: Event) -> None:
        """Let one part fail, and come back."""
        if event.part in BY_OTHERS:
            await interfere(self, event)
            return
        symbol = EXCHANGES[self.plan.exchange].market
        match event.part:
            case Part.RECONFIGURE:
                with suppress(RedisError, OSError):
                    await self.configure()
            case Part.SKEW:
                assert isinstance(self.exchange.venue.clock, WallClock)
                self.exchange.venue.clock.shift(Random(event.at_s).choice((-10_000, 10_000)))
            case Part.MUTE:
                mute = FaultRule(kinds=(FaultKind.MUTE,), seed=self.plan.seed)
                self.exchange.faults.set(replace(faults_of(self.plan), events=mute))
                await asyncio.sleep(event.for_s)
                self.exchange.faults.set(faults_of(self.plan))
            case Part.HALT:
                if (instrument := self.exchange.venue.instruments.get(symbol)) is not None:
                    instrument.trading = False
                    await asyncio.sleep(event.for_s)
                    instrument.trading = True
            case Part.DELIST:
                rules = self.exchange.venue.instrument(symbol).rules
                self.exchange.market.delist(symbol)
                await asyncio.sleep(event.for_s)
                self.exchange.market.list_symbol(rules)
            case Part.HALF_OPEN:
                self.line.keep()
                await asyncio.sleep(event.for_s)
                self.line.cut()
            case Part.KILL | Part.FREEZE | Part.TERMINATE | Part.ROLLING | Part.SECOND:
                await self._executors_suffer(event)
            case _:
                async with self.redis_fails:
                    await self._redis_suffers(event)

    async def _executors_suffer(self, event: Event) -> None:
        first, second = AGENTS
        executors = self.processes
        match event.part:
            case Part.KILL:
                await executors.end(first, signal.SIGKILL)
                await asyncio.sleep(event.for_s)
                await executors.start(first)
            case Part.FREEZE:
                executors.send(first, signal.SIGSTOP)
                await asyncio.sleep(event.for_s + 2)
                executors.send(first, signal.SIGCONT)
            case Part.TERMINATE:
                await executors.end(first, signal.SIGTERM)
                await executors.start(first)
            case Part.ROLLING:
                await executors.start(second)
                await asyncio.sleep(event.for_s)
                await executors.end(first, signal.SIGTERM)
                await executors.start(first)
            case Part.SECOND:
                await executors.start(second)
                await asyncio.sleep(event.for_s)
                await executors.end(second, Random(event.at_s).choice((signal.SIGKILL, signal.SIGTERM)))

    async def _redis_suffers(self, event: Event) -> None:
        match event.part:
            case Part.OUT_OF_MEMORY:
                await self.client.config_set("maxmemory", 1)
                await asyncio.sleep(event.for_s)
                await self.client.config_set("maxmemory", 0)
            case Part.FLUSH:
                await self.client.flushall()
                await self._after_loss()
            case Part.EMPTY_REDIS:
                await self.redis.kill()
                for path in self.redis.data_dir.glob("appendonly*"):
                    shutil.rmtree(path)
                await self.redis.restart()
                await self._after_loss()
            case Part.KILL_REDIS:
                # What it had not yet written to its file is lost: a second at most.
                await self.client.config_set("appendfsync", "always")
                await self.redis.kill()
                await asyncio.sleep(event.for_s / 2)
                await self.redis.restart()
            case _:
                await self.redis.stop()
                await asyncio.sleep(event.for_s / 2)
                await self.redis.restart()

    async def _after_loss(self) -> None:
        """Put the configurations again, and resume once trading is halted, as a person does."""
        self.lost_ms = now_ms()
        await self.configure()
        deadline_s = monotonic() + NOTICED_S
        while monotonic() < deadline_s:
            with suppress(RedisError, OSError):
                if await self.client.hexists(halt_key(TENANT), "*/*"):
                    await self.client.xadd(trader_actions(TENANT), {"data": RESUME})
                    return
            await asyncio.sleep(0.1)  # Nothing announces a halt.

    async def mend(self) -> None:
        """End all that is wrong, but what is under way."""
        self.exchange.faults.set(None)
        with suppress(RedisError, OSError):
            await self.client.config_set("maxmemory", 0)
        for agent in AGENTS:
            self.processes.send(agent, signal.SIGCONT)
        await self.processes.start(AGENTS[0])

    async def configure(self, *, with_account: bool = True) -> None:
        """Put the configurations, perhaps without the account."""
        self._configured += 1
        watched = {
            "tenant": TENANT,
            "exchangeId": self.exchange_id,
            "assetPairs": [SYMBOL],
            "dataPoints": ["watchOrders", "watchMyTrades", "watchBalance"],
        }
        for agent in (*AGENTS, GATHERER):
            options = {} if agent == GATHERER else {"options": {"campaign": self._configured}}
            config = {"agent": {"id": agent}, "exchanges": {TENANT: {self.exchange_id: self._account | options}}}
            config |= {"workplans": [watched]} if agent == GATHERER else {}
            config |= {} if with_account else {"exchanges": {}, **({"workplans": []} if agent == GATHERER else {})}
            await self.client.set(f"stream.config.{agent}", json.dumps(config))


@asynccontextmanager
async def platform(plan: Plan, folder: Path, database: Path) -> AsyncIterator[Platform]:
    """Start everything that a schedule needs; the executor may still be starting."""
    shutil.copy(database, folder / "millrace.db")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        client = Redis.from_url(redis.url, retry_on_error=[OSError, RedisError])
        stack.push_async_callback(client.aclose)
        exchange = await stack.enter_async_context(
            await serve(EXCHANGES[plan.exchange].config(plan.seed, events_per_second=20))
        )
        line = Proxy(exchange.port)
        stack.push_async_callback(line.close)
        processes = Processes(folder, redis.url)
        stack.push_async_callback(processes.close)
        running = Platform(plan, redis, client, exchange, line, processes, folder / "millrace.db")
        await running.begin()
        yield running
