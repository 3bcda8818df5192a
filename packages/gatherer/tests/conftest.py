"""A gatherer on real servers: Redis, the simulator, and between it and the gatherer a line that can be disturbed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.line import Line, line_to

from millrace_bus import Bus, EmbeddedServer, Follower, Update
from millrace_core.config.common import Credentials
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import Exchange, open_exchange
from millrace_gatherer.agent import GathererAgent
from millrace_service import Settings, run_agent
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.server import Server, serve

AGENT = AgentId("GATHERER")


@pytest.fixture
def redis(server: EmbeddedServer) -> EmbeddedServer:
    """The Redis server, beside which exchanges are servers too."""
    return server


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """A busy exchange."""
    # Whole books are compared: they must not grow because a test asks for one.
    config = SimulatorConfig(events_per_second=800, depth_interval_ms=20, record=True, book_levels=0)
    async with await serve(config) as server:
        yield server


@pytest.fixture
async def line(simulator: Server) -> AsyncIterator[Line]:
    """The line between the gatherer and the simulator."""
    async with line_to(simulator.url) as line:
        yield line


@pytest.fixture
async def account(simulator: Server) -> AsyncIterator[Exchange]:
    """The account that the gatherer watches, as the executor trades with it."""
    keys = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})
    opened = await open_exchange("binance", keys)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def gatherers(redis: EmbeddedServer) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Runs a gatherer each time that it is called."""

    @asynccontextmanager
    async def run() -> AsyncIterator[None]:
        stop = asyncio.Event()
        settings = Settings(agent_id=AGENT, redis_url=redis.url)
        running = asyncio.create_task(run_agent(GathererAgent(), settings, stop=stop))
        try:
            yield
        finally:
            stop.set()
            await running

    return run


@pytest.fixture
async def gatherer(gatherers: Callable[[], AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    """A running gatherer, not yet configured."""
    async with gatherers():
        yield


class GathererProcess:
    """A gatherer as a process, which can be killed."""

    def __init__(self, redis_url: str, log: Path) -> None:
        self._environ = {**os.environ, "MILLRACE_REDIS_URL": redis_url}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        command = (sys.executable, "-m", "millrace_gatherer", "--agent-id", "GATHERER")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, "--die-with-parent", str(os.getpid()), env=self._environ, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """Kill it with -9."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


@pytest.fixture
async def process(redis: EmbeddedServer, tmp_path: Path) -> AsyncIterator[GathererProcess]:
    """A gatherer, not yet running."""
    process = GathererProcess(redis.url, tmp_path / "gatherer.log")
    yield process
    await process.kill()


class Reader:
    """Reads one stream, and keeps what it saw."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.updates: list[Update] = []
        self._arrived = asyncio.Event()
        self.follower: Follower = bus.follow(name, self._take)

    @property
    def state(self) -> Any:
        """What the stream's messages add up to."""
        return self.follower.state

    def deltas(self) -> list[Any]:
        """The data of the deltas, in order."""
        return [update.data for update in self.updates if update.kind == "delta"]

    def statuses(self) -> list[tuple[str, str | None]]:
        """What the writer said of the stream, in order."""
        return [(update.data.status, update.data.reason) for update in self.updates if update.kind == "status"]

    async def until(self, holds: Callable[["Reader"], Any]) -> None:
        """Wait until something that was read makes it true."""
        async with asyncio.timeout(60):
            while not holds(self):
                self._arrived.clear()
                await self._arrived.wait()

    def _take(self, update: Update) -> None:
        self.updates.append(update)
        self._arrived.set()


@pytest.fixture
async def read(bus: Bus) -> AsyncIterator[Callable[..., Reader]]:
    """A function that opens a reader of a stream: `read("watchTrades", "ETH/BTC")`."""
    readers: list[Reader] = []

    def read(action: str, symbol: str | None = None, tenant: str = "T") -> Reader:
        name = StreamName(Tenant(tenant), ExchangeId("binance"), Action(action), symbol and Symbol(symbol))
        readers.append(Reader(bus, name))
        return readers[-1]

    yield read
    for reader in readers:
        await reader.follower.close()


@pytest.fixture
def configure(bus: Bus, line: Line) -> Callable[..., Any]:
    """Writes the gatherer's configuration: symbols and data points of the tenant T, and how many workers."""

    async def configure(
        symbols: list[str], points: list[Any], workers: int = 0, *, adapter: str = "native", **plan: Any
    ) -> None:
        account = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": line.url}, "adapter": adapter}
        workplan = {"tenant": "T", "exchangeId": "binance", "assetPairs": symbols, "dataPoints": points, **plan}
        exchanges = {"T": {"binance": account}}
        config = {"agent": {"id": AGENT}, "exchanges": exchanges, "workplans": [workplan], "workers": workers}
        await bus.put_config(AGENT, json.dumps(config))

    return configure
