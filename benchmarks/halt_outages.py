"""How long a halt takes, from the question to the answer that it is in force, while the database takes no rows.

PostgreSQL: stopped, read only, locked by another, its disk full. SQLite: locked by another, its disk full; what has the
file open already goes on writing if it becomes read only.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from tests.support import outages

from benchmarks.figures import Figure
from benchmarks.tenants import api_on, client_of
from millrace_api.access.tokens import new_token
from millrace_bus import EmbeddedServer
from millrace_core.clock import now_ms
from millrace_core.names import Tenant
from millrace_store import Store
from millrace_store.testing import PostgresServer

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
"""How long each outage lasts."""
PAUSE_S = 0.1
LIMIT_MS = 250.0
_TENANT = Tenant("Ann")
Outage = Callable[[], AbstractAsyncContextManager[None]]


async def run(folder: Path) -> list[Figure]:
    """Measure all of them, one after the other."""
    figures = []
    async with AsyncExitStack() as held:
        redis = await held.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        # The server's user, who is another one for root, gets to no folder that is private.
        shared = Path(held.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        shared.chmod(0o711)
        postgres = await held.enter_async_context(await PostgresServer.start(shared / "postgres"))
        for way in ("locked", "full"):
            with outages.disk(folder / "disk") as disk:
                outage = _of_sqlite(way, disk / "millrace.db")
                figures.append(await _measured(f"SQLite, {way}", redis.url, f"sqlite:///{disk}/millrace.db", outage))
        url = await postgres.database("halts")
        ways: dict[str, Outage] = {
            "locked": lambda: outages.postgres_locked(url, "halts, audit, tokens"),
            "read only": lambda: outages.postgres_read_only(url),
            "stopped": lambda: outages.postgres_stopped(postgres),
        }
        for way, outage in ways.items():
            figures.append(await _measured(f"PostgreSQL, {way}", redis.url, url, outage))
        with outages.disk(shared / "disk", "mode=777") as disk:
            async with outages.database_on(postgres, disk) as small:
                full = _entered(lambda: outages.filled(disk))
                figures.append(await _measured("PostgreSQL, full", redis.url, small, full))
    return figures


def _of_sqlite(way: str, path: Path) -> Outage:
    return (lambda: outages.sqlite_locked(path)) if way == "locked" else _entered(lambda: outages.filled(path.parent))


def _entered(outage: Callable[[], AbstractContextManager[None]]) -> Outage:
    @asynccontextmanager
    async def enter() -> AsyncIterator[None]:
        with outage():
            yield

    return enter


async def _measured(name: str, redis_url: str, url: str, outage: Outage) -> Figure:
    async with Store.open(url) as store:
        token, record = new_token(_TENANT, name, "admin", now_ms())
        await store.access.add_token(record)
    async with api_on(redis_url, url) as (address, _), client_of(address, str(token)) as client:
        await _halts(client, 2.0)
        async with outage():
            took = await _halts(client, SECONDS)
    worst = f"a halt while the database is away, the slowest of {len(took)}: {name}"
    return Figure(worst, "ms", max(took), LIMIT_MS, "250 ms", 1.0, higher_is_better=False)


async def _halts(client: httpx.AsyncClient, seconds: float) -> list[float]:
    """Halt and resume again and again; return how long each took, ms."""
    took, ends_s = [], time.monotonic() + seconds
    while time.monotonic() < ends_s:
        for ask in (lambda: client.post("/halts", json={}), lambda: client.delete("/halts")):
            begun_s = time.perf_counter()
            (await ask()).raise_for_status()
            took.append((time.perf_counter() - begun_s) * 1_000)
            await asyncio.sleep(PAUSE_S)
    return took
