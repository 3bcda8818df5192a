"""`millrace up`: the five services, and alerts if they are configured, on a given Redis or an embedded Valkey."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli.ports import http_port
from millrace_cli.processes import Processes, Service
from millrace_core.names import AgentId

AGENTS = {"gatherer": "GATHERER", "magicbox": "MAGICBOX", "executor": "EXECUTOR", "dbsync": "DBSYNC", "api": "API"}
"""The services and their default agent ids."""
ALERTS = AgentId("ALERTS")
"""The agent id of alerts, which run once it has a configuration."""
ENDS = {"magicbox": 0, "alerts": 0, "executor": 1, "gatherer": 2, "api": 2, "dbsync": 3}
"""The order in which they end: strategies may still cancel their orders, and all of it is stored."""


async def run(
    redis_url: str | None,
    data_dir: Path,
    redis_port: int,
    agents: dict[str, str],
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Run the services until `stop` is set; one that ends by itself is started again.

    Raises:
        PortBusy: the port of the API or of the console is in use.
        ServiceEnded: no service can start with these settings.
    """
    _check_ports()
    async with _redis(redis_url, data_dir, redis_port) as url:
        processes = Processes(None, lambda service, text: say(f"{service} {text}"))
        try:
            environment = {"MILLRACE_REDIS_URL": url, "MILLRACE_DATA_DIR": str(data_dir)}
            for kind, agent in agents.items():
                await processes.start(Service(kind, f"millrace_{kind}", ("--agent-id", agent), environment, ENDS[kind]))
            await processes.start(_console(data_dir))
            # A given URL may contain a password.
            say(
                f"{', '.join((*agents, 'console'))} run on {'the given Redis' if redis_url else url}; Ctrl-C ends them."
            )
            alerts = Service("alerts", "millrace_alerts", ("--agent-id", ALERTS), environment, ENDS["alerts"])
            async with started_when_configured(processes, alerts, url):
                await processes.until(stop)
        finally:
            await processes.stop()


@asynccontextmanager
async def started_when_configured(processes: Processes, alerts: Service, redis_url: str) -> AsyncIterator[None]:
    """Start alerts during the block, as soon as somebody has configured them: before, nobody could be told anything."""

    async def watch() -> None:
        async with Bus.connect(redis_url, name="millrace-up") as bus:
            async for text in bus.watch_config(ALERTS):
                if text is not None:
                    await processes.start(alerts)
                    return

    watching = asyncio.create_task(watch(), name="start alerts")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        if not watching.cancelled():
            watching.result()


def _check_ports() -> None:
    host = os.environ.get("MILLRACE_HOST") or "127.0.0.1"
    for whose, variable, default in (("API", "MILLRACE_PORT", "8080"), ("console", "MILLRACE_CONSOLE_PORT", "8081")):
        port = os.environ.get(variable) or default
        # What is no port at all, the service itself refuses.
        if port.isdecimal() and int(port) <= 65_535:
            http_port(whose, int(port), variable, host)


def _console(data_dir: Path) -> Service:
    url = os.environ.get("MILLRACE_API_URL") or f"http://127.0.0.1:{os.environ.get('MILLRACE_PORT') or 8080}"
    arguments = ("--api-url", url, "--data-dir", str(data_dir))
    return Service("console", "millrace_console", arguments, ends=2, is_useful_alone=False)


@asynccontextmanager
async def _redis(url: str | None, data_dir: Path, port: int) -> AsyncIterator[str]:
    if url is not None:
        yield url
        return
    server = await EmbeddedServer.start(data_dir / "valkey", port=free_port(port))
    try:
        yield server.url
    finally:
        await server.stop()
