"""One tenant's questions to the API, alone and while another tenant does its worst with one read token.

The worst are candles of an odd interval from many trades, again and again, also by clients that leave, the largest
pages, exports, and configurations to be compared; and WebSockets that subscribe and unsubscribe, send pings and large
frames without end, and read nothing. What is left afterwards of the API and its workers is their memory, and what they
still compute.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

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
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ATTACKERS, EXPORTS, LEAVERS, PAGES, TEXTS = map(int, os.environ.get("BENCH_ATTACK", "20,20,10,10,10").split(","))
SOCKETS = int(os.environ.get("BENCH_SOCKETS", "40"))
"""WebSockets of the attacker; each kind of frames goes over as many."""
_UPGRADE = (
    "GET /api/v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n"
)
PAUSE_S = 0.02
RELEASED_S = float(os.environ.get("BENCH_RELEASED", "30"))
GOOD, BAD = Tenant("GOOD"), Tenant("BAD")
_START_MS = 1_769_860_800_000
CANDLES = {"exchange": "kucoin", "symbol": "A/B", "interval": "86399s"}
LARGEST = {"exchange": "kucoin", "symbol": "A/B", "limit": "10000"}
CONFIG = {"agent": {"id": "EXECUTOR-BAD"}, "risk": {"BAD": {f"limit{number}": {} for number in range(12_000)}}}
"""As many mistakes as a configuration can have."""
KIND = {"kind": "executor"}


async def run(folder: Path) -> list[Figure]:
    """Measure both in turn."""
    url = f"sqlite:///{folder / 'tenants.db'}"
    tokens = await _filled(url)
    async with await EmbeddedServer.start(folder / "redis") as redis, api_on(redis.url, url) as (address, process):
        rounds = [await _round(address, tokens, process) for _ in range(ROUNDS)]
        await asyncio.sleep(RELEASED_S)
        left = _memory(process) - rounds[0].before
    figures = []
    for number, one in enumerate(rounds, 1):
        title = f"round {number}: a tenant's questions while another does its worst"
        for percent, target in ((50, None), (99, 3.0)):
            both = (_at(one.beside, percent), _at(one.alone, percent))
            figures.append(Figure(f"{title}, p{percent}", "ms", *both, "alone", target, higher_is_better=False))
        title = f"round {number}: CPU time in the second after the first that follows"
        figures.append(Figure(title, "ms", one.computed_ms, 50.0, "50 ms", 1.0, higher_is_better=False))
    title = f"memory left {RELEASED_S:g} s later"
    return [*figures, Figure(title, "MB", left, 20.0, "20 MB", 1.0, higher_is_better=False)]


class _Round(NamedTuple):
    before: float
    """Memory before the attack, MB."""
    alone: list[float]
    beside: list[float]
    computed_ms: float
    """CPU time of the API and its workers from 1 s to 2 s after all attackers have left."""


async def _round(address: str, tokens: dict[Tenant, str], process: psutil.Process) -> _Round:
    async with client_of(address, tokens[GOOD]) as good:
        await _questions(good, 2.0)
        alone = await _questions(good, SECONDS)
        before = _memory(process)
        async with _attacker(address, tokens[BAD]):
            beside = await _questions(good, SECONDS)
    await asyncio.sleep(1.0)
    until_then = _cpu_s(process)
    await asyncio.sleep(1.0)
    computed_s = sum(spent - until_then.get(pid, 0.0) for pid, spent in _cpu_s(process).items())
    return _Round(before, alone, beside, computed_s * 1_000)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _memory(process: psutil.Process) -> float:
    """Return the memory of the API and its workers, MB."""
    return sum(each.memory_info().rss for each in _family(process)) / 1e6


def _cpu_s(process: psutil.Process) -> dict[int, float]:
    """Return the CPU time of each process by its id: what one that ends had spent must not count as negative."""
    return {each.pid: each.cpu_times().user + each.cpu_times().system for each in _family(process)}


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
async def api_on(redis_url: str, database_url: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Run the API; return its address and its process."""
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
async def client_of(address: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API that has a token."""
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
    """Ask for candles, exports and comparisons without end; some clients leave before the answer."""
    async with client_of(address, token) as client, asyncio.TaskGroup() as group:
        print("attacking", flush=True)
        for _ in range(ATTACKERS):
            group.create_task(_again(lambda: client.get("/candles", params=CANDLES)))
        for _ in range(LEAVERS):
            group.create_task(_again(lambda: client.get("/candles", params=CANDLES), leaves_s=0.5))
        for _ in range(PAGES):
            group.create_task(_again(lambda: client.get("/trades", params=LARGEST)))
        for _ in range(EXPORTS):
            group.create_task(_again(lambda: client.get("/exports/trades", params={"format": "parquet"})))
        for _ in range(TEXTS):
            group.create_task(_again(lambda: client.post("/agents/EXECUTOR-BAD/config/diff", json=CONFIG, params=KIND)))
        for number in range(SOCKETS):
            group.create_task(_flood(address, token, number))


async def _flood(address: str, token: str, number: int) -> None:
    """Send frames of one kind over a WebSocket and read no answer; connect again when it is closed."""
    frames = (_commands("subscribe", "unsubscribe"), _commands("subscribe"), [_frame(9, b"x" * 100)] * 100)
    kinds = (*frames, [_frame(1, b" " * 900)] * 100, [_frame(1, b"x" * 60_000)])
    sent = b"".join(kinds[number % len(kinds)])
    host, _, port = address.removeprefix("http://").partition(":")
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port), limit=1)
            writer.write(_UPGRADE.format(token).encode())
            try:
                while True:
                    writer.write(sent)
                    await writer.drain()
                    await asyncio.sleep(0)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.1)


def _commands(*operations: str) -> list[bytes]:
    streams = [f"stream.{BAD}.kucoin.watchTrades.A{number}/B" for number in range(100)]
    return [
        _frame(1, f'{{"op":"{operation}","stream":"{stream}"}}'.encode())
        for stream in streams
        for operation in operations
    ]


def _frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame; its mask is zero, so the payload stays as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


async def _again(ask: Callable[[], Awaitable[httpx.Response]], leaves_s: float | None = None) -> None:
    while True:
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(leaves_s):
                found = await ask()
                if found.status_code == 429:
                    await asyncio.sleep(1.0)


def _at(took: list[float], percent: int) -> float:
    return statistics.quantiles(took, n=100)[percent - 1]


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(_attack(*sys.argv[1:]))
