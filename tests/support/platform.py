"""The whole platform as real processes on this machine, with the means to break it."""

import asyncio
import hashlib
import hmac
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
import redis.asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from tests.support.databases import Database

from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli import configs
from millrace_cli.processes import Service, listening

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = ROOT / "examples" / "strategies"
KINDS = ("gatherer", "magicbox", "executor")
STORED_KINDS = (*KINDS, "dbsync", "api")
"""The whole of it, for which there must be a database."""
DEMO_KEY = "demo-key"
DEMO_SECRET = b"demo-secret"
PATIENCE = aiohttp.ClientTimeout(total=30)
"""A request without an answer within this time fails, so that the test reports it rather than its own timeout."""
_POLL_S = 0.1

SHALLOW = {"bookLevels": 0}
"""Settings of a simulator whose books can be compared whole, and often: no client makes them deeper."""


class Server(Protocol):
    """A Valkey that a platform runs on."""

    url: str

    async def stop(self) -> None:
        """End it; harmless once it has ended."""


class Platform:
    """A Valkey, a simulated exchange and services, each a process that a test may kill."""

    def __init__(
        self,
        folder: Path,
        server: EmbeddedServer,
        simulator_port: int,
        database: Database | None = None,
        exchange: str = configs.EXAMPLE_EXCHANGE,
    ) -> None:
        self.folder = folder
        self.exchange = exchange
        self.server = server
        self.exchange_url = f"http://127.0.0.1:{simulator_port}"
        self.api_port = free_port(0)
        self.database = database
        # A test that kills Redis queries it again as soon as it is back.
        patience = Retry(ConstantBackoff(0.1), 50)
        self.redis: Any = redis_asyncio.Redis.from_url(server.url, decode_responses=True, retry=patience)
        self.http = aiohttp.ClientSession(self.exchange_url, timeout=PATIENCE)
        self.configs: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def configure(self, kind: str, config: dict[str, Any]) -> None:
        """Put a service's configuration as a person would: by a plain SET."""
        self.configs[kind] = config
        await self.redis.set(f"stream.config.{config['agent']['id']}", json.dumps(config))

    def redis_url(self, _name: str) -> str:
        """Return the address of Redis for a service."""
        return self.server.url

    def environment(self, name: str, plugins: Path = STRATEGIES) -> dict[str, str]:
        """Return the settings of a process."""
        return {
            "PATH": "/usr/bin:/bin",
            "MILLRACE_REDIS_URL": self.redis_url(name),
            "MILLRACE_PLUGIN_DIR": str(plugins),
            "MILLRACE_DATA_DIR": str(self.folder),
            "MILLRACE_PORT": str(self.api_port),
            **({"MILLRACE_DATABASE_URL": self.database.url} if self.database else {}),
        }

    async def start(self, name: str, *arguments: str, plugins: Path = STRATEGIES) -> None:
        """Start a service, or the simulator; strategies are looked for in `plugins`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *Service(name, f"millrace_{name}", arguments).command(),
                env=self.environment(name, plugins),
                stdout=log, stderr=log,
            )  # fmt: skip

    async def start_service(self, kind: str, plugins: Path = STRATEGIES) -> None:
        """Start the service of a kind under the agent id of its configuration."""
        await self.start(kind, "--agent-id", self.configs[kind]["agent"]["id"], plugins=plugins)

    def example(self, kind: str) -> dict[str, Any]:
        """Return the example configuration of a service, pointed at this platform's exchange."""
        text = (ROOT / "examples" / f"{kind}.json").read_text()
        config: dict[str, Any] = json.loads(configs.pointed(text, self.exchange_url, self.exchange))
        return config

    async def kill(self, name: str) -> None:
        """Kill a process with -9 and wait until it is gone."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def end(self, name: str) -> None:
        """End a process in order, and wait until it is gone."""
        process = self.processes.pop(name)
        process.terminate()
        await process.wait()

    async def close(self) -> None:
        """End everything."""
        for process in self.processes.values():
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in self.processes.values()))
        await self.http.close()
        await self.redis.aclose()
        await self.server.stop()

    async def get(self, path: str, **parameters: Any) -> Any:
        """Ask the exchange."""
        async with self.http.get(path, params=parameters) as response:
            response.raise_for_status()
            return await response.json()

    async def get_signed(self, path: str, **parameters: Any) -> Any:
        """Ask the exchange as the demo account, signed the way Binance wants it."""
        query = urlencode(parameters | {"timestamp": int(time.time() * 1000)})
        signature = hmac.new(DEMO_SECRET, query.encode(), hashlib.sha256).hexdigest()
        async with self.http.get(
            f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": DEMO_KEY}
        ) as response:
            response.raise_for_status()
            return await response.json()

    async def heartbeat(self, kind: str) -> dict[str, Any] | None:
        """Return a service's heartbeat."""
        text = await self.redis.get(f"agent.{self.configs[kind]['agent']['id']}")
        return json.loads(text) if text else None

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        return (self.folder / f"{name}.log").read_text()


async def until(
    condition: Callable[[], Awaitable[Any]], what: str, timeout: float = 60.0, platform: Platform | None = None
) -> Any:
    """Poll until a condition holds; return its value.

    Raises:
        AssertionError: it did not hold in time; the text says what, with the end of each process's log.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := await condition():
            return value
        await asyncio.sleep(_POLL_S)
    logs = {name: platform.log(name)[-2_000:] for name in platform.processes} if platform else {}
    raise AssertionError(
        f"not within {timeout} s: {what}\n" + "\n".join(f"--- {n}\n{text}" for n, text in logs.items())
    )


@asynccontextmanager
async def running(
    folder: Path,
    kinds: tuple[str, ...] = KINDS,
    *,
    simulator: dict[str, Any] | None = None,
    change: Callable[[str, dict[str, Any]], None] = lambda _kind, _config: None,
    database: Database | None = None,
    plugins: Path = STRATEGIES,
) -> AsyncIterator[Platform]:
    """Run the platform on the example configurations, `change`d in place by the test.

    `simulator` is laid over the simulator's own default configuration; its dialect is the exchange that is traded on.
    `database` is for dbsync and the API.
    """
    port = free_port(0)
    server = await EmbeddedServer.start(folder / "valkey")
    exchange = (simulator or {}).get("dialect", configs.EXAMPLE_EXCHANGE)
    platform = Platform(folder, server, port, database, exchange)
    try:
        settings = folder / "simulator.json"
        settings.write_text(json.dumps(SHALLOW | (simulator or {})))
        await platform.start("simulator", "--port", str(port), "--config", str(settings))
        for kind in kinds:
            config = platform.example(kind)
            change(kind, config)
            await platform.configure(kind, config)
            await platform.start_service(kind, plugins)
        await listening(port, 60)
        yield platform
    finally:
        await platform.close()
