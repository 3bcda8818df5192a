"""An outage of the database is two lines in the log, one at its beginning and one at its end."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_core.names import AgentId
from millrace_store.testing import PostgresServer

ROOT = Path(__file__).parents[3]
SERVICES = {"api": "API", "dbsync": "DBSYNC"}


class Lines:
    """What a service logs, line by line."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.seen: list[dict[str, Any]] = []
        self._stream = stream

    async def until(self, event: str) -> None:
        """Read until this event."""
        async with asyncio.timeout(60):
            while True:
                self.seen.append(json.loads(await self._stream.readline()))
                if self.seen[-1]["event"] == event:
                    return


@asynccontextmanager
async def running(kind: str, folder: Path, database_url: str) -> AsyncIterator[Lines]:
    """Run a service on an embedded Redis and a database; yield its log."""
    async with await EmbeddedServer.start(folder / "redis") as redis, Bus.connect(redis.url, name="test") as bus:
        await bus.put_config(AgentId("DBSYNC"), (ROOT / "examples" / "dbsync.json").read_text())
        environment = {
            **os.environ,
            "MILLRACE_REDIS_URL": redis.url,
            "MILLRACE_DATABASE_URL": database_url,
            "MILLRACE_PORT": str(free_port(0)),
            "MILLRACE_LOG_FORMAT": "json",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"millrace_{kind}", "--agent-id", SERVICES[kind]),
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            yield Lines(process.stderr)
        finally:
            process.terminate()
            await process.communicate()


async def tried(port: int, times: int) -> None:
    """Take the place of a dead server, until somebody has connected to it so many times; nobody gets an answer."""
    tries = asyncio.Semaphore(0)

    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tries.release()

    async with await asyncio.start_server(refuse, "127.0.0.1", port), asyncio.timeout(60):
        for _ in range(times):
            await tries.acquire()


@pytest.mark.parametrize("kind", SERVICES)
async def test_an_outage_of_the_database_is_one_line_and_its_end_another(
    tmp_path: Path, postgres: PostgresServer, kind: str
) -> None:
    """Whatever its units, its pool and its driver do meanwhile; no traceback."""
    async with running(kind, tmp_path, await postgres.database(f"t{os.urandom(6).hex()}")) as lines:
        await lines.until("configuration in force")
        for _ in range(2):
            before = len(lines.seen)
            await postgres.kill()
            await tried(postgres.port, 5)
            await postgres.restart()
            await lines.until("the database answers again")
            assert [line["level"] for line in lines.seen[before:]] == ["warning", "info"], lines.seen[before:]
    assert not any("exception" in line for line in lines.seen)
