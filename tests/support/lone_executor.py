"""One executor as a process, with a Redis and a simulated exchange whose market stands still."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from tests.support.services import start_service

from millrace_bus import EmbeddedServer
from millrace_core.names import Tenant
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import Server, serve

TENANT: Final = Tenant("StrankaXY")
_AGENT: Final = "EXECUTOR"
_LISTED: Final = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == "KCSUSDT")


@asynccontextmanager
async def lone_executor(folder: Path, seed: int, limits: Limits) -> AsyncIterator[tuple[Redis, Server]]:
    """Start them; the executor may still be starting. Return a client of the Redis, and the exchange."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        settings = SimulatorConfig(seed=seed, symbols=_LISTED, limits=limits)
        exchange = await stack.enter_async_context(await serve(settings, drive_market=False))
        client = await stack.enter_async_context(Redis.from_url(server.url, max_connections=1_000))
        account = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": exchange.url}}
        config = {"agent": {"id": _AGENT}, "exchanges": {TENANT: {"binance": account}}}
        await client.set(f"stream.config.{_AGENT}", json.dumps(config))
        database = ("--database-url", f"sqlite:///{folder / 'millrace.db'}")
        process = await start_service("executor", _AGENT, server.url, folder / "executor.log", *database)
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        yield client, exchange
