"""A Valkey that knows a user for each service, as `millrace acl` says, and lets nobody else in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from typer.testing import CliRunner

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import connect
from millrace_bus.errors import BusError
from millrace_bus.server import bound_to_us
from millrace_bus.server.acl import USERS
from millrace_bus.server.binary import find_server
from millrace_bus.server.ports import free_port
from millrace_cli.main import app

HOST = "127.0.0.1"
_START_TIMEOUT_S = 30.0
_POLL_S = 0.1


def password_of(user: str) -> str:
    """Return the password of a user in tests."""
    return f"password-of-{user}"


class SecuredServer:
    """A running server whose users come from an ACL file."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self._process = process

    def url_of(self, user: str) -> str:
        """Return the address with the credentials of a user."""
        return f"redis://{user}:{password_of(user)}@{HOST}:{self.port}/0"

    @property
    def url(self) -> str:
        """The address for people, who may do everything."""
        return self.url_of("operator")

    async def stop(self) -> None:
        """End the server; harmless once it has ended."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    async def answers(self) -> None:
        """Wait until people get in."""
        async with asyncio.timeout(_START_TIMEOUT_S):
            while self._process.returncode is None:
                try:
                    (await connect(Address.parse(self.url), "test")).abort()
                except (OSError, BusError):
                    await asyncio.sleep(_POLL_S)
                else:
                    return
        raise AssertionError(f"the server ended with {self._process.returncode}")


def acl(*options: str) -> str:
    """Return what `millrace acl` prints for the passwords of tests."""
    passwords = {f"MILLRACE_REDIS_PASSWORD_{user.upper()}": password_of(user) for user in USERS}
    result = CliRunner().invoke(app, ["acl", *options], env=passwords)
    assert result.exit_code == 0, result.output
    return result.stdout


@asynccontextmanager
async def secured_server(folder: Path, *options: str) -> AsyncIterator[SecuredServer]:
    """Run a server with the ACL file that `millrace acl` makes."""
    file = folder / "users.acl"
    file.write_text(acl(*options))
    port = free_port(0)
    process = await asyncio.create_subprocess_exec(
        *bound_to_us(str(find_server()), "--port", str(port), "--bind", HOST, "--save", ""),
        *("--notify-keyspace-events", "K$", "--aclfile", str(file), "--dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    server = SecuredServer(port, process)
    try:
        await server.answers()
        yield server
    finally:
        await server.stop()
