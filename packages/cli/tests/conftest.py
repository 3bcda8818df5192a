"""The command `millrace` as it is typed, on a real Valkey and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from millrace_bus import Bus, EmbeddedServer
from millrace_cli.main import app


@dataclass
class Typed:
    """What a command printed, and its exit code."""

    code: int
    output: str
    stdout: str

    @property
    def json(self) -> Any:
        """Return what was printed as JSON."""
        return json.loads(self.stdout)


@dataclass
class Terminal:
    """A terminal whose environment names a Redis and a database."""

    environment: dict[str, str] = field(default_factory=dict)

    async def type(self, *arguments: str, keys: str | None = None) -> Typed:
        """Run `millrace` with these arguments, with `keys` on its standard input."""

        def invoke() -> Typed:
            result = CliRunner().invoke(app, list(arguments), input=keys, env=self.environment)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return Typed(result.exit_code, result.output, result.stdout)

        return await asyncio.to_thread(invoke)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A Redis server."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """The bus of another service."""
    async with Bus.connect(server.url, name="test") as bus:
        yield bus


@pytest.fixture
def terminal(server: EmbeddedServer, tmp_path: Path) -> Terminal:
    """A terminal on this test's Redis and database."""
    return Terminal(
        {
            "MILLRACE_REDIS_URL": server.url,
            "MILLRACE_DATABASE_URL": f"sqlite:///{tmp_path / 'millrace.db'}",
            "MILLRACE_SECRET_KEY": "",
            "MILLRACE_SECRET_KEY_FILE": "",
            "COLUMNS": "100",
        }
    )
