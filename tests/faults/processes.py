"""The processes of a schedule: a Redis, executors, and the exchange with its faults; and what fails of them."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random

from redis.asyncio import Redis
from redis.exceptions import RedisError
from tests.faults.exchange_faults import FaultyExchange
from tests.faults.plan import Event, Part, Plan

from millrace_bus import EmbeddedServer
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.server import Server, serve
from millrace_simulator.venue.clock import WallClock

AGENTS = ("EXECUTOR", "EXECUTOR2")
LISTED = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == "KCSUSDT")


class Executors:
    """Two executors with the same accounts, of which one runs or both."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._folder = folder
        self._redis_url = redis_url
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, agent: str) -> None:
        """Start one, unless it runs."""
        if agent in self._running:
            return
        environment = {
            "MILLRACE_REDIS_URL": self._redis_url,
            "MILLRACE_DATABASE_URL": f"sqlite:///{self._folder / 'millrace.db'}",
        }
        with (self._folder / f"{agent}.log").open("ab") as log:
            self._running[agent] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "millrace_executor", "--agent-id", agent),
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )

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
        for agent in AGENTS:
            await self.end(agent, signal.SIGKILL)


class Platform:
    """Everything that runs in a schedule."""

    def __init__(
        self, redis: EmbeddedServer, client: Redis, exchange: Server, faults: FaultyExchange, executors: Executors
    ) -> None:
        self.redis = redis
        self.client = client
        self.exchange = exchange
        self.faults = faults
        self.executors = executors
        self._redis_fails = asyncio.Lock()
        self._configured = 0
        self._address = ""

    async def begin(self, address: str) -> None:
        """Configure and start the first executor."""
        self._address = address
        await self._configure()
        await self.executors.start(AGENTS[0])

    async def suffer(self, event: Event) -> None:
        """Let one part fail, and come back."""
        first, second = AGENTS
        executors = self.executors
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
            case Part.RECONFIGURE:
                with suppress(RedisError, OSError):
                    await self._configure()
            case Part.SKEW:
                assert isinstance(self.exchange.venue.clock, WallClock)
                self.exchange.venue.clock.shift(Random(event.at_s).choice((-10_000, 10_000)))
            case _:
                async with self._redis_fails:
                    await self._redis_suffers(event)

    async def _redis_suffers(self, event: Event) -> None:
        if event.part is Part.OUT_OF_MEMORY:
            await self.client.config_set("maxmemory", 1)
            await asyncio.sleep(event.for_s)
            await self.client.config_set("maxmemory", 0)
            return
        if event.part is Part.KILL_REDIS:
            # What it had not yet written to its file is lost: a second at most.
            await self.client.config_set("appendfsync", "always")
            await self.redis.kill()
        else:
            await self.redis.stop()
        await asyncio.sleep(event.for_s / 2)
        await self.redis.restart()

    async def mend(self) -> None:
        """End all that is wrong, but what is under way."""
        self.faults.rate = 0.0
        with suppress(RedisError, OSError):
            await self.client.config_set("maxmemory", 0)
        for agent in AGENTS:
            self.executors.send(agent, signal.SIGCONT)
        await self.executors.start(AGENTS[0])

    async def _configure(self) -> None:
        self._configured += 1
        account = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": self._address}}
        account["options"] = {"campaign": self._configured}
        for agent in AGENTS:
            config = {"agent": {"id": agent}, "exchanges": {"StrankaXY": {"binance": account}}}
            await self.client.set(f"stream.config.{agent}", json.dumps(config))


@asynccontextmanager
async def platform(plan: Plan, folder: Path, database: Path) -> AsyncIterator[Platform]:
    """Start everything that a schedule needs; the executor may still be starting."""
    shutil.copy(database, folder / "millrace.db")
    config = SimulatorConfig(seed=plan.seed, symbols=LISTED, events_per_second=20)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        client = Redis.from_url(redis.url, retry_on_error=[OSError, RedisError])
        stack.push_async_callback(client.aclose)
        exchange = await stack.enter_async_context(await serve(config))
        faults = FaultyExchange(exchange.url, Random(plan.seed + 1))
        executors = Executors(folder, redis.url)
        stack.push_async_callback(executors.close)
        address = await stack.enter_async_context(faults.listening())
        running = Platform(redis, client, exchange, faults, executors)
        await running.begin(address)
        yield running
