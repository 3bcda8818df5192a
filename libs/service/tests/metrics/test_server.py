"""An agent's metrics, served."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_core.config.common import BaseConfig
from millrace_core.names import AgentId
from millrace_service import Agent, Settings, UnitHealthReporter, run_agent

ID = AgentId("TINY")
PATIENCE_S = 15


class TinyAgent(Agent[BaseConfig, int]):
    """Counts once."""

    kind = "gatherer"
    config_model = BaseConfig
    needs_config = False

    def units(self, config: BaseConfig) -> Mapping[str, int]:
        """Return the one unit."""
        return {"PUBLIC.binance.watchTrades.ETH/BTC": 1}

    def own_metrics(self) -> bytes:
        """Return one."""
        return b"millrace_tiny 1\n"

    async def run_unit(self, key: str, unit_config: int, health: UnitHealthReporter) -> None:
        """Live until cancelled."""
        health.count("lost", 7)
        health.state("live")
        await asyncio.Event().wait()


@asynccontextmanager
async def running(server: EmbeddedServer, port: int) -> AsyncIterator[None]:
    """Run the agent."""
    stop = asyncio.Event()
    settings = Settings(agent_id=ID, redis_url=server.url, metrics_port=port)
    task = asyncio.create_task(run_agent(TinyAgent(), settings, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def asked(port: int, request: bytes) -> bytes:
    """Return the answer to a request; connections are tried until the agent listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)  # a port announces nothing
            else:
                break
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


async def test_an_agent_serves_its_metrics(server: EmbeddedServer) -> None:
    """They are there from the start, and those of its units once they run."""
    port = free_port(0)
    async with running(server, port), asyncio.timeout(PATIENCE_S):
        answer = await asked(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain;")
        assert answer.endswith(b"millrace_tiny 1\n")
        assert b'millrace_agent_info{agent="TINY",kind="gatherer",version=' in answer
        while b'unit="PUBLIC.binance.watchTrades"} 7.0' not in answer:
            answer = await asked(port, b"GET /metrics?x=1 HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET / HTTP/1.1", b"404"), (b"POST /metrics HTTP/1.1", b"405"), (b"", b"404")],
)
async def test_nothing_else_is_served(server: EmbeddedServer, request_line: bytes, status: bytes) -> None:
    """Another path or method gets an error, and does no harm."""
    port = free_port(0)
    async with running(server, port):
        assert (await asked(port, request_line + b"\r\n\r\n")).startswith(b"HTTP/1.1 " + status)


async def test_a_port_in_use_stops_nothing(server: EmbeddedServer, bus: Bus) -> None:
    """The agent works, says why nobody can scrape it, and serves once the port is free: it may replace another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with running(server, port), asyncio.timeout(PATIENCE_S):
            while not await shows_the_cause(bus):
                await asyncio.sleep(0.02)  # a heartbeat is a key that tells nobody of its change
            other.close()
            assert b"200 OK" in await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")


async def shows_the_cause(bus: Bus) -> bool:
    """Tell whether a live agent's heartbeat names its metrics as failed."""
    beats = await bus.heartbeats()
    return any(
        [unit.state for unit in beat.units] == ["live"] and any(error.where == "metrics" for error in beat.last_errors)
        for beat in beats
    )
