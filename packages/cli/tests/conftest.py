"""The command `millrace` as it is typed, on a real Valkey and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from millrace_bus import Bus, EmbeddedServer
from millrace_cli.main import app
from millrace_core.messages import RequestError, Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_core.orders import Order
from millrace_core.requests import Halt, parse_request


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


TENANT, BINANCE, KCS = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")


@asynccontextmanager
async def _executor(bus: Bus, *, error: RequestError | None = None) -> AsyncIterator[list[Any]]:
    """Answer each request to trade; yield the requests as they come."""
    writer = bus.writer(StreamName(TENANT, BINANCE, Action("createOrder"), KCS), None)
    await writer.open()
    received: list[Any] = []

    async def serve() -> None:
        async for arrived in bus.request_reader(TENANT, consumer="EXECUTOR"):
            if arrived.raw == b"{}":
                continue
            received.append(request := parse_request(arrived.raw))
            if not isinstance(request, Halt):
                status = "rejected" if error else "done"
                order = Order(id="7", symbol=KCS, side="buy", status="closed")
                writer.response(Response(str(request.request_id), status, order, "James", error))

    serving = asyncio.create_task(serve())
    try:
        async with asyncio.timeout(10):
            while not await bus.publish(trader_actions(TENANT), "{}"):
                await asyncio.sleep(0.01)
        yield received
    finally:
        serving.cancel()
        await asyncio.wait({serving})


@pytest.fixture
def answering() -> Any:
    """Run an executor that answers each request, while a block runs; the block gets the requests as they come."""
    return _executor


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
