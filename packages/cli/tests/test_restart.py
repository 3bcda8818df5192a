"""`millrace restart` as it is typed, on a real Valkey."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import AgentId

AGENT, UNIT = AgentId("MAGICBOX"), "StrankaXY.PingPong"


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """Return the bus of an agent that has sent a heartbeat."""
    async with Bus.connect(server.url, name="test") as bus:
        units = [UnitHealth(UNIT, "failed", 1)]
        await bus.heartbeat(Heartbeat(AGENT, "magicbox", "running", 1, 1, 1, "1", units=units))
        yield bus


async def _typed(server: EmbeddedServer, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "restart", *arguments, "--redis-url", server.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def test_the_agent_receives_the_units_name(server: EmbeddedServer, bus: Bus) -> None:
    """An agent that listens is asked once."""
    async with contextlib.aclosing(bus.restart_requests(AGENT)) as requests:
        received = asyncio.create_task(anext(requests))
        async with asyncio.timeout(60):
            while not await bus.request_restart(AGENT, "until it listens"):
                await asyncio.sleep(0.01)
        await received
        assert await _typed(server, AGENT, UNIT) == (
            0,
            "MAGICBOX runs StrankaXY.PingPong afresh; its heartbeat and its log say how that goes\n",
        )
        assert await asyncio.wait_for(anext(requests), 10) == UNIT


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("MAGICBOX", UNIT), "MAGICBOX does not listen"),
        (("MAGICBOX", "StrankaXY.PingPongg"), "has no unit StrankaXY.PingPongg; did you mean StrankaXY.PingPong?"),
        (("MAGICBOXX", UNIT), "no agent MAGICBOXX runs; did you mean MAGICBOX?"),
    ],
)
async def test_what_cannot_be_restarted_is_one_plain_line(
    server: EmbeddedServer, bus: Bus, arguments: tuple[str, ...], says: str
) -> None:
    """The exit code is 1, and the line says what is wrong, with near names."""
    code, output = await _typed(server, *arguments)
    assert code == 1
    assert says in output
    assert "Traceback" not in output
