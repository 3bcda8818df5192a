"""Back-up and restore as docs/operations.md says: taken while all is written to, restored elsewhere, compared."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio as redis_asyncio
from tests.support.platform import until

from millrace_bus import Bus, EmbeddedServer
from millrace_cli import tokens
from millrace_core.names import AgentId, tenant
from millrace_store import Store
from millrace_store.testing import PostgresServer

AGENT = AgentId("GATHERER")
TENANT = tenant("StrankaXY")


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """The server that is backed up."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


async def contents(url: str) -> dict[bytes, bytes]:
    """Return everything that a server holds, as it serialises each key."""
    client: Any = redis_asyncio.Redis.from_url(url)
    async with client:
        return {key: await client.dump(key) async for key in client.scan_iter()}


async def test_redis_is_restored_from_a_copy_of_its_append_only_files(redis: EmbeddedServer, tmp_path: Path) -> None:
    """The copy is taken while the server is written to: what was there before is whole, and the server starts."""
    client: Any = redis_asyncio.Redis.from_url(redis.url)
    async with client, Bus.connect(redis.url, name="test") as bus:
        await bus.put_config(AGENT, b'{"agent":{}}')
        for count in range(500):
            await client.xadd("StrankaXY.traderActions", {"data": str(count)})
            await client.hset("halt.{StrankaXY}", f"binance/{count}", "{}")
        before = await contents(redis.url)
        await client.config_set("auto-aof-rewrite-percentage", 0)
        is_enough = asyncio.Event()
        busy = asyncio.create_task(_write(client, is_enough))
        await until(lambda: client.exists("busy"), "the server is written to")
        await asyncio.to_thread(shutil.copytree, redis.data_dir / "appendonlydir", tmp_path / "other" / "appendonlydir")
        is_enough.set()
        await busy
    async with await EmbeddedServer.start(tmp_path / "other") as restored:
        after = await contents(restored.url)
        after.pop(b"busy", None)
        assert after == before


async def _write(client: Any, is_enough: asyncio.Event) -> None:
    while not is_enough.is_set():
        await client.incr("busy")


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="PostgreSQL's client programs are not installed")
async def test_postgresql_is_restored_from_a_dump(postgres: PostgresServer, tmp_path: Path) -> None:
    """Tables, rows and the version of the schema are the same; the store opens it, and a token of before is known."""
    old, new = await postgres.database("millrace_old"), await postgres.database("millrace_new")
    await tokens.create(old, TENANT, "before", "trade", None)
    dump = tmp_path / "millrace.dump"
    await _run("pg_dump", "--format=custom", f"--file={dump}", old)
    await _run("pg_restore", "--exit-on-error", f"--dbname={new}", str(dump))
    assert await _rows(new) == await _rows(old)
    async with Store.open(new) as store:
        assert [token.name for token in await store.access.tokens(TENANT)] == ["before"]


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


async def _rows(url: str) -> dict[str, list[Any]]:
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        return {
            name: sorted(map(str, await connection.fetch(f'SELECT * FROM "{name}"'))) for (name,) in map(tuple, names)
        }
    finally:
        await connection.close()
