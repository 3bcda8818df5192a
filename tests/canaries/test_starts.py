"""Services that cannot work as they are repeated say so without a secret, wherever it was put."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from tests.canaries.planted import Canaries
from tests.canaries.scene import IN_FULL, KINDS
from tests.support.platform import ROOT

from millrace_bus import Bus, EmbeddedServer
from millrace_cli.processes import Service
from millrace_core.names import AgentId
from millrace_service.encryption import new_key

pytestmark = pytest.mark.system
PASSWORD = "right"
REFUSALS = ("WRONGPASS", "database does not answer", "database is unavailable", "console: http://")
"""Any of these ends the wait for a service that goes on trying."""


class Start(NamedTuple):
    """A service, and the settings that it gets."""

    kind: str
    name: str
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()


@pytest.mark.parametrize("kind", KINDS if IN_FULL else ("dbsync", "executor"))
async def test_a_refused_password_is_not_shown(kind: str, tmp_path: Path) -> None:
    """Of Redis, and of a PostgreSQL that repeats what it was sent."""
    canaries = Canaries()
    async with await EmbeddedServer.start(tmp_path / "redis", password=PASSWORD) as redis, Postgres() as database:
        wrong = f"redis://:{quote(canaries.secret('Redis'), safe='')}@127.0.0.1:{redis.port}/0"
        starts = [Start(kind, "Redis", {"MILLRACE_REDIS_URL": wrong})]
        if kind in ("dbsync", "api"):
            await configure(redis, kind)
            url = f"postgresql://user:{quote(canaries.secret('database'), safe='')}@127.0.0.1:{database.port}/millrace"
            starts.append(Start(kind, "database", {"MILLRACE_REDIS_URL": redis.url, "MILLRACE_DATABASE_URL": url}))
        assert await leaks_of(canaries, starts, tmp_path) == []


async def test_wrong_settings_are_refused_without_repeating_them(tmp_path: Path) -> None:
    """Addresses of another form, a key that is none, a key where its file is to be named, a password as a name."""
    canaries = Canaries()
    starts = [Start("dbsync", name, {name.split()[0]: text}) for name, text in wrong_settings(canaries)]
    token = canaries.secret("in the API's address")
    starts.append(Start("console", "address", {"MILLRACE_API_URL": f"http://user:{quote(token, safe='')}@127.0.0.1:1"}))
    assert await leaks_of(canaries, starts, tmp_path) == []


def wrong_settings(canaries: Canaries) -> Iterator[tuple[str, str]]:
    """Yield settings in which a secret stands where it makes no sense."""
    yield "MILLRACE_REDIS_URL", f"redis://:{canaries.word('without a host')}"
    yield "MILLRACE_REDIS_URL of another kind", f"http://user:{canaries.secret('of another kind')}@127.0.0.1"
    yield "MILLRACE_REDIS_URL alone", canaries.secret("alone")
    yield "MILLRACE_REDIS_URL with a parameter", f"redis://127.0.0.1/0?password={canaries.word('as a parameter')}"
    yield "MILLRACE_DATABASE_URL", f"mysql://user:{canaries.secret('of a database')}@127.0.0.1/x"
    yield "MILLRACE_DATABASE_URL alone", canaries.word("alone for a database")
    yield "MILLRACE_SECRET_KEY", canaries.word("no key")
    yield "MILLRACE_SECRET_KEY_FILE", canaries.plant("key for a file", new_key())
    yield "MILLRACE_AGENT_ID", canaries.secret("as an agent")
    yield "MILLRACE_LOG_LEVEL", canaries.word("as a level")


async def configure(redis: EmbeddedServer, kind: str) -> None:
    """Write a service's example configuration."""
    text = (ROOT / "examples" / f"{kind}.json").read_text()
    async with Bus.connect(redis.url, name="test") as bus:
        await bus.put_config(AgentId(kind.upper()), text)


async def leaks_of(canaries: Canaries, starts: list[Start], folder: Path) -> list[str]:
    """Return which secrets the services print until they have said what is wrong."""
    said = await asyncio.gather(*(output(start, folder) for start in starts))
    return [
        leak
        for text, start in zip(said, starts, strict=True)
        for leak in canaries.leaks(text, f"{start.kind} {start.name}")
    ]


async def output(start: Start, folder: Path) -> str:
    """Run a service until it ends or has said what is wrong; return everything that it printed."""
    environment = {"PATH": "/usr/bin:/bin", "MILLRACE_DATA_DIR": str(folder), "MILLRACE_PORT": "0"}
    agent = (
        ()
        if start.kind == "console" or "MILLRACE_AGENT_ID" in start.environment
        else ("--agent-id", start.kind.upper())
    )
    process = await asyncio.create_subprocess_exec(
        *Service(start.kind, f"millrace_{start.kind}", agent).command(),
        env=environment | start.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            said += line
            if any(each.encode() in line for each in REFUSALS):
                process.terminate()
                break
        rest, _ = await process.communicate()
    return (said + rest).decode(errors="replace")


class Postgres:
    """A PostgreSQL server that refuses everybody, and repeats what it was sent."""

    async def __aenter__(self) -> "Postgres":
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = await reader.read(8)
        if sent[4:8] == b"\x04\xd2\x16/":  # it asks whether TLS is spoken
            writer.write(b"N")
            sent += await reader.read(1024)
        # Asks for the password in plain text, and is sent it.
        writer.write(b"R\0\0\0\x08\0\0\0\x03")
        sent += await reader.read(1024)
        sent += await reader.read(1024)
        repeated = sent.replace(b"\0", b" ").decode(errors="replace").encode()
        body = b"SFATAL\0C28P01\0Mpassword authentication failed: " + repeated + b"\0\0"
        writer.write(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
