"""TLS to Redis and PostgreSQL, with authorities that the system does not know."""

import asyncio
import os
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.certificates import Certificates

from millrace_bus import Bus, EmbeddedServer, Unreachable
from millrace_core.names import AgentId
from millrace_store import DatabaseUnavailable, Store
from millrace_store.testing import PostgresServer

AGENT = AgentId("AGENT")


@asynccontextmanager
async def behind_tls(server: EmbeddedServer, files: Certificates) -> AsyncIterator[int]:
    """Take TLS on a port and hand the rest to a server: the one that is bundled was built without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server.port)
        ways = [asyncio.ensure_future(_copy(*way)) for way in ((reader, there_writer), (there_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, there_writer):
            each.close()
        await asyncio.wait(ways)

    listening = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A Valkey."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


async def test_the_bus_works_over_tls_with_a_ca_file(redis: EmbeddedServer, tmp_path: Path) -> None:
    """Both kinds of connections trust the authority of the file: that which writes, and the control plane's."""
    files = certificates.make(tmp_path / "tls")
    async with behind_tls(redis, files) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={files.authority}"
        async with Bus.connect(url, name="test") as bus:
            await bus.ready(10)
            changes = bus.watch_config(AGENT)
            assert await anext(changes) is None
            await bus.put_config(AGENT, b"{}")
            assert await anext(changes) == b"{}"


@pytest.mark.parametrize("host", ["localhost", "other.example"], ids=["unknown authority", "another name"])
async def test_a_server_that_proves_nothing_is_not_talked_to(redis: EmbeddedServer, tmp_path: Path, host: str) -> None:
    """The certificate must come from the authority and bear the server's name; the reason is told."""
    files = certificates.make(tmp_path / "tls", host)
    trusted = files if host != "localhost" else certificates.make(tmp_path / "other")
    async with behind_tls(redis, files) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={trusted.authority}"
        async with Bus.connect(url, name="test") as bus:
            with pytest.raises(Unreachable, match="certificate verify failed"):
                await bus.ready(1)


@pytest.fixture
async def postgres() -> AsyncIterator[tuple[PostgresServer, Certificates]]:
    """A PostgreSQL that takes TLS, and its certificates."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        folder.chmod(0o755)
        files = certificates.make(folder / "tls")
        if os.geteuid() == 0:
            # It runs as another user then, who must own its key.
            shutil.chown(files.key, "nobody")
        settings = {"ssl": "on", "ssl_cert_file": str(files.certificate), "ssl_key_file": str(files.key)}
        async with await PostgresServer.start(folder / "data", **settings) as server:
            yield server, files


async def test_the_store_works_over_tls_with_a_ca_file(
    postgres: tuple[PostgresServer, Certificates], tmp_path: Path
) -> None:
    """`sslmode=verify-full` with the authority's file; another authority's server is not talked to."""
    server, files = postgres
    url = f"postgresql://postgres@localhost:{server.port}/postgres?sslmode=verify-full&sslrootcert="
    async with Store.open(f"{url}{files.authority}") as store:
        await store.ping()
    other = certificates.make(tmp_path / "other")
    with pytest.raises(DatabaseUnavailable):
        async with Store.open(f"{url}{other.authority}"):
            pass
