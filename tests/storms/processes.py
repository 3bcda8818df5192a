"""The processes of a campaign: an exchange, a Valkey and a gatherer, with a line between the first and the last."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
from tests.storms.account import AccountWitness, Trader, open_account
from tests.storms.campaign import Campaign
from tests.storms.dialects import DIALECTS
from tests.storms.faults import StormyLine
from tests.storms.plan import AGENT, OWN, TENANT, Plan, gatherer_config, simulator_config
from tests.support.line import served

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_core.names import ExchangeId


@asynccontextmanager
async def campaign(plan: Plan, folder: Path) -> AsyncIterator[Campaign]:
    """Start everything that a campaign needs."""
    async with AsyncExitStack() as stack:
        dialect = DIALECTS[plan.dialect]
        server = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        port = free_port()
        config = folder / "simulator.json"
        config.write_bytes(msgspec.json.encode(simulator_config(plan)))
        arguments = ("millrace_simulator", "--config", str(config), "--port", str(port))
        await stack.enter_async_context(_process(folder, arguments))
        url = f"http://127.0.0.1:{port}"
        session = await stack.enter_async_context(aiohttp.ClientSession(url))
        await _until_reached(session)
        line = StormyLine(url, dialect, plan.weather, plan.seed)
        await stack.enter_async_context(served(line))
        bus = await stack.enter_async_context(Bus.connect(server.url, name="storms"))
        account = await open_account(dialect, url)
        stack.push_async_callback(account.close)
        own = AccountWitness(bus, account, ExchangeId(plan.dialect), TENANT, OWN)
        running = Campaign(plan, line, bus, session, Trader(account, OWN, plan.seed), own)
        stack.push_async_callback(running.close)
        await bus.put_config(AGENT, json.dumps(gatherer_config(plan, dialect, line.url)))
        gatherer = ("millrace_gatherer", "--agent-id", AGENT)
        await stack.enter_async_context(_process(folder, gatherer, MILLRACE_REDIS_URL=server.url))
        yield running


async def _until_reached(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with session.get("/simulator/status") as response:
                    response.raise_for_status()
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)  # nothing tells when another process listens


@asynccontextmanager
async def _process(folder: Path, arguments: tuple[str, ...], **environment: str) -> AsyncIterator[None]:
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
