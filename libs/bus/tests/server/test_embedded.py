"""The embedded server, started for real."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import EmbeddedServer, ServerFailed
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import connect
from millrace_bus.errors import CommandRefused


async def _write(server: EmbeddedServer) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set("key", "value")


def _command_line(pid: int) -> str:
    """Return a process's command line; nothing once it has ended, even before its exit code was read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


async def _read(server: EmbeddedServer) -> Any:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        return await client.get("key")


async def test_data_survives(tmp_path: Path) -> None:
    """What was written is there after a stop, and after a kill, on the same port."""
    async with await EmbeddedServer.start(tmp_path) as server:
        port = server.port
        await _write(server)
        await server.restart()
        assert await _read(server) == b"value"
        await server.kill()
        assert server.pid == 0
        await server.restart()
        assert await _read(server) == b"value"
        assert server.port == port
    await server.stop()


async def test_it_announces_changed_keys(tmp_path: Path) -> None:
    """Keyspace notifications are on: configurations are followed by them."""
    async with await EmbeddedServer.start(tmp_path) as server, redis.asyncio.Redis.from_url(server.url) as client:
        assert set((await client.config_get("notify-keyspace-events"))["notify-keyspace-events"]) == set("K$")


async def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """The server takes no command without it, and no process list shows it."""
    async with await EmbeddedServer.start(tmp_path, password="s p/a:ce@") as server:
        await _write(server)
        connection = await connect(Address("127.0.0.1", server.port, password="s p/a:ce@"), "test")
        connection.abort()
        with pytest.raises(CommandRefused, match="NOAUTH"):
            await connect(Address("127.0.0.1", server.port), "test")
        assert "ce@" not in _command_line(server.pid)


async def test_a_taken_port_is_named_with_its_owner(tmp_path: Path) -> None:
    """The error says who has the port and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed, match=rf"port {port} is in use by .*process {os.getpid()}.*another port"):
            await EmbeddedServer.start(tmp_path, port=port)


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which directory, why, and what to do."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ServerFailed, match=r"file/redis cannot hold .* choose another"):
        await EmbeddedServer.start(file / "redis")


async def test_two_servers_never_share_their_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is refused, and says which process has the directory."""
    monkeypatch.setattr("millrace_bus.server.embedded._LOCK_TIMEOUT_S", 0.1)
    async with await EmbeddedServer.start(tmp_path) as server:
        with pytest.raises(ServerFailed, match=rf"in use by another server \(process {server.pid}\)"):
            await EmbeddedServer.start(tmp_path)
        await _write(server)


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Also when the parent is killed -9; then its data can be used at once."""
    code = (
        "import asyncio, sys, pathlib; from millrace_bus import EmbeddedServer\n"
        "async def main():\n"
        "    server = await EmbeddedServer.start(pathlib.Path(sys.argv[1]))\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with await EmbeddedServer.start(tmp_path) as server:
        assert server.pid != pid
        assert not _command_line(pid)


async def test_a_server_that_cannot_read_its_data_says_where_to_look(tmp_path: Path) -> None:
    """When the server ends at once its own last words are in the error."""
    async with await EmbeddedServer.start(tmp_path) as server:
        await _write(server)
    (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"rubbish" + log.read_bytes())
    with pytest.raises(ServerFailed, match=r"exited at start: .*server\.log"):
        await EmbeddedServer.start(tmp_path)


SILENT = """#!{python}
import socket, sys, time
port = int(sys.stdin.readline().split()[1])
listener = socket.create_server(("127.0.0.1", port))
time.sleep(600)
"""


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts connections and never answers does not block the start forever, and is ended."""
    silent = tmp_path / "silent-server"
    silent.write_text(SILENT.format(python=sys.executable))
    silent.chmod(0o700)
    monkeypatch.setattr("millrace_bus.server.embedded.find_server", lambda: silent)
    monkeypatch.setattr("millrace_bus.server.embedded._START_TIMEOUT_S", 0.5)
    async with asyncio.timeout(60):
        with pytest.raises(ServerFailed, match="does not answer"):
            await EmbeddedServer.start(tmp_path / "redis")
