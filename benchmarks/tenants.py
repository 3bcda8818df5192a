"""One tenant's questions to the API, alone and while another tenant does its worst with one read token.

The worst are candles of an odd interval from many trades, again and again, also by clients that leave, and exports. The
memory of the API's process is what is left of them afterwards.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.figures import Figure
from millrace_api.access.tokens import new_token
from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store import Place, Store

TRADES = int(os.environ.get("BENCH_TRADES", "300000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
ATTACKERS, EXPORTS, LEAVERS = map(int, os.environ.get("BENCH_ATTACK", "20,20,10").split(","))
PAUSE_S = 0.02
RELEASED_S = float(os.environ.get("BENCH_RELEASED", "30"))
GOOD, BAD = Tenant("GOOD"), Tenant("BAD")
_START_MS = 1_769_860_800_000
CANDLES = {"exchange": "kucoin", "symbol": "A/B", "interval": "86399s"}


async def run(folder: Path) -> list[Figure]:
    """Measure both in turn."""
    url = f"sqlite:///{folder / 'tenants.db'}"
    tokens = await _filled(url)
    async with await EmbeddedServer.start(folder / "redis") as redis, _api(redis.url, url) as (address, process):
        async with _client(address, tokens[GOOD]) as good:
            await _questions(good, 2.0)
            alone = await _questions(good, SECONDS)
            before = process.memory_info().rss
            async with _attacker(address, tokens[BAD]):
                beside = await _questions(good, SECONDS)
        await asyncio.sleep(RELEASED_S)
        left = (process.memory_info().rss - before) / 1e6
    title = "a tenant's questions while another does its worst"
    return [
        Figure(f"{title}, p50", "ms", _at(beside, 50), _at(alone, 50), "alone", None, higher_is_better=False),
        Figure(f"{title}, p99", "ms", _at(beside, 99), _at(alone, 99), "alone", 3.0, higher_is_better=False),
        Figure(f"memory left {RELEASED_S:g} s later", "MB", left, 100.0, "100 MB", 1.0, higher_is_better=False),
    ]


async def _filled(url: str) -> dict[Tenant, str]:
    """Store trades of both tenants; return a read token of each."""
    tokens = {}
    async with Store.open(url) as store:
        for of, trades in ((GOOD, 2_000), (BAD, TRADES)):
            name = StreamName(of, ExchangeId("kucoin"), Action("watchTrades"), Symbol("A/B"))
            for first in range(0, trades, 1_000):
                at_ms = [_START_MS + 100 * number for number in range(first, first + 1_000)]
                rows = [Trade(str(at), at, "A/B", "buy", 10.5 + at % 97, 0.1) for at in at_ms]
                async with store.batch() as batch:
                    batch.trades(Place(str(name), MessageId(_START_MS, first + 1), at_ms[0]), rows)
            token, record = new_token(of, "bench", "read", now_ms())
            await store.access.add_token(record)
            tokens[of] = str(token)
    return tokens


@asynccontextmanager
async def _api(redis_url: str, database_url: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    port = free_port(0)
    environment = os.environ | {
        "MILLRACE_REDIS_URL": redis_url,
        "MILLRACE_DATABASE_URL": database_url,
        "MILLRACE_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_api", "--agent-id", "API"),
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=address) as client, asyncio.timeout(60):
            while not await _is_ready(client):
                await asyncio.sleep(0.1)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get("/ready")).is_success
    return False


@asynccontextmanager
async def _client(address: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=f"{address}/api/v1", headers=headers, timeout=120, limits=limits) as client:
        yield client


async def _questions(client: httpx.AsyncClient, seconds: float) -> list[float]:
    """Ask for a page of trades again and again; return how long each took, ms."""
    took = []
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        begun_s = time.perf_counter()
        (await client.get("/trades", params={"limit": 100})).raise_for_status()
        took.append((time.perf_counter() - begun_s) * 1_000)
        await asyncio.sleep(PAUSE_S)
    return took


@asynccontextmanager
async def _attacker(address: str, token: str) -> AsyncIterator[None]:
    """Attack from a process of its own, once it has begun."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, address, token), stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is not None:
            await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


async def _attack(address: str, token: str) -> None:
    """Ask for candles and exports without end; some clients leave before the answer."""
    async with _client(address, token) as client, asyncio.TaskGroup() as group:
        print("attacking", flush=True)
        for _ in range(ATTACKERS):
            group.create_task(_again(client, "/candles", CANDLES, None))
        for _ in range(LEAVERS):
            group.create_task(_again(client, "/candles", CANDLES, 0.5))
        for _ in range(EXPORTS):
            group.create_task(_again(client, "/exports/trades", {"format": "parquet"}, None))


async def _again(client: httpx.AsyncClient, path: str, params: dict[str, str], leaves_s: float | None) -> None:
    while True:
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(leaves_s):
                found = await client.get(path, params=params)
                if found.status_code == 429:
                    await asyncio.sleep(1.0)


def _at(took: list[float], percent: int) -> float:
    return statistics.quantiles(took, n=100)[percent - 1]


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(_attack(*sys.argv[1:]))
