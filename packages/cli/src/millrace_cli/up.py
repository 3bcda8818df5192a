"""`millrace up`: the five services, on a given Redis or an embedded Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from millrace_bus import EmbeddedServer
from millrace_cli.processes import Processes, Service, ServiceEnded, free_port

AGENTS = {"gatherer": "GATHERER", "magicbox": "MAGICBOX", "executor": "EXECUTOR", "dbsync": "DBSYNC", "api": "API"}
"""The services and their default agent ids."""
ENDS = {"magicbox": 0, "executor": 1, "gatherer": 2, "api": 2, "dbsync": 3}
"""The order in which they end: strategies may still cancel their orders, and all of it is stored."""


async def run(
    redis_url: str | None,
    data_dir: Path,
    redis_port: int,
    agents: dict[str, str],
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Run the services until `stop` is set.

    Raises:
        ServiceEnded: a service exited unexpectedly.
    """
    async with _redis(redis_url, data_dir, redis_port) as url:
        processes = Processes(log_dir=None)
        try:
            for kind, agent in agents.items():
                environment = {"MILLRACE_REDIS_URL": url, "MILLRACE_DATA_DIR": str(data_dir)}
                await processes.start(Service(kind, f"millrace_{kind}", ("--agent-id", agent), environment, ENDS[kind]))
            # A given URL may contain a password.
            say(f"{', '.join(agents)} run on {'the given Redis' if redis_url else url}; Ctrl-C ends them.")
            if (ended := await processes.end_before(stop)) is not None:
                raise ServiceEnded(f"{ended.name} exited unexpectedly (code {ended.returncode})")
        finally:
            await processes.stop()


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
