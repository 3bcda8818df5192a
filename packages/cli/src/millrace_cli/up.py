"""`millrace up`: the services alone, on a given Redis or an embedded one, as their configurations say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from millrace_bus import EmbeddedServer
from millrace_cli.addresses import free_port
from millrace_cli.processes import Processes, Service, ServiceEnded

AGENTS = {"gatherer": "GATHERER", "magicbox": "MAGICBOX", "executor": "EXECUTOR", "dbsync": "DBSYNC", "api": "API"}
"""The services, and the agent id that each has when it is told no other."""
ENDS = {"magicbox": 0, "executor": 1, "gatherer": 2, "api": 2, "dbsync": 3}
"""The order in which they end: strategies may cancel their orders on the way out, and all of it is stored."""


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
        ServiceEnded: a service ended by itself.
    """
    async with _redis(redis_url, data_dir, redis_port) as url:
        processes = Processes(log_dir=None)
        try:
            for kind, agent in agents.items():
                environment = {"MILLRACE_REDIS_URL": url, "MILLRACE_DATA_DIR": str(data_dir)}
                await processes.start(Service(kind, f"millrace_{kind}", ("--agent-id", agent), environment, ENDS[kind]))
            # A given address may hold a password.
            say(f"The services run on {'the Redis given' if redis_url else url}; Ctrl-C ends them.")
            if (ended := await processes.end_before(stop)) is not None:
                raise ServiceEnded(f"{ended.name} ended by itself (code {ended.returncode})")
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
