"""A service's process: signals, exit codes, what it says at the end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_core.clock import now_ms
from millrace_core.names import AgentId

SCRIPT = Path(__file__).with_name("tiny_agent.py")
ID = AgentId("TINY")
PATIENCE_S = 60

Process = asyncio.subprocess.Process
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(server: EmbeddedServer) -> AsyncIterator[Start]:
    """Starts the tiny agent as a process; kills it after the test."""
    started: list[Process] = []

    async def run(*arguments: str, **environ: str) -> Process:
        started.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                str(SCRIPT),
                *(arguments or ("--agent-id", ID)),
                env=os.environ | {"MILLRACE_REDIS_URL": server.url} | environ,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        return started[-1]

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def configure(bus: Bus, **units: str) -> None:
    """Configure what the units do."""
    await bus.put_config(ID, json.dumps({"agent": {"id": "TINY"}, "units": units}))


async def heartbeats(bus: Bus, condition: Callable[[int], bool]) -> None:
    """Wait until the number of live units in the agent's heartbeat, -1 for none at all, meets a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            beats = await bus.heartbeats()
            live = sum(unit.state == "live" for unit in beats[0].units) if beats else -1
            if condition(live):
                return
            await asyncio.sleep(0.02)  # Redis announces no contents, so that there is nothing to wait for


async def said(process: Process, text: bytes) -> None:
    """Wait until the process has logged a line with this text."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while text not in await process.stderr.readline():
            continue


async def ended(process: Process) -> tuple[int | None, list[dict[str, Any]]]:
    """Wait for the end, and return exit code and log."""
    async with asyncio.timeout(PATIENCE_S):
        _, logged = await process.communicate()
    return process.returncode, [json.loads(line) for line in logged.splitlines() if line.startswith(b"{")]


async def is_cut_off(process: Process) -> None:
    """Check that the process ends within the limit and shows where it hung."""
    began = now_ms()
    async with asyncio.timeout(PATIENCE_S):
        _, dump = await process.communicate()
    assert now_ms() - began < 6_000
    assert process.returncode == 1
    assert b"tiny_agent.py" in dump


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_everything_in_order(start: Start, bus: Bus, signum: signal.Signals) -> None:
    """SIGTERM and SIGINT end units, agent and heartbeat, and the exit code is 0."""
    await configure(bus, a="live")
    process = await start()
    await heartbeats(bus, lambda live: live == 1)
    process.send_signal(signum)
    code, log = await ended(process)
    assert code == 0
    assert [line["event"] for line in log][-2:] == ["shutting down", "agent ended"]
    assert log[-2]["signal"] == signum.name
    assert {line["agent"] for line in log} == {"TINY"}
    assert await bus.heartbeats() == []


async def test_a_second_signal_ends_at_once(start: Start, bus: Bus) -> None:
    """The second signal does not wait for a unit's clean-up."""
    await configure(bus, a="stubborn")
    process = await start()
    await heartbeats(bus, lambda live: live == 1)
    process.terminate()
    await said(process, b"shutting down")
    process.terminate()
    await process.wait()
    assert process.returncode == -signal.SIGTERM


async def test_a_unit_that_does_not_end_does_not_keep_the_process(start: Start, bus: Bus) -> None:
    """A unit that ignores its cancellation is ended with the process, within 5 s of the signal."""
    await configure(bus, a="stubborn")
    process = await start()
    await heartbeats(bus, lambda live: live == 1)
    process.terminate()
    await is_cut_off(process)


async def test_a_unit_that_holds_up_the_loop_does_not_keep_the_process(start: Start, bus: Bus) -> None:
    """A process whose loop is blocked still handles the signal, and ends in time."""
    await configure(bus, a="blocking")
    process = await start()
    await said(process, b"blocking")
    process.terminate()
    await is_cut_off(process)


async def test_without_an_agent_id_it_says_what_to_do(start: Start) -> None:
    """The process ends with 2 and one line that names option, variable and key."""
    process = await start("--log-level", "info")
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"MILLRACE_AGENT_ID" in said
    assert b"Traceback" not in said


async def test_a_failure_is_logged_without_secrets(start: Start) -> None:
    """The failure that ends the process is one line of the log, with its cause, without secrets; the exit code is 1."""
    process = await start(TINY_FAILS="GET https://x/api?signature=abcdef012345")
    code, log = await ended(process)
    assert code == 1
    assert log[-1]["level"] == "critical"
    assert log[-1]["cause"] == "OSError: GET https://x/api?signature=***"
    assert "abcdef012345" not in json.dumps(log)


async def test_a_bad_address_is_said_in_one_line(start: Start) -> None:
    """A malformed Redis URL ends the process with 2 and the reason, without password or traceback."""
    process = await start(MILLRACE_REDIS_URL="http://user:hunter2@somewhere")
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"MILLRACE_REDIS_URL" in said
    assert b"Traceback" not in said
    assert b"hunter2" not in said


async def test_a_wrong_option_of_the_service_ends_it_with_2(start: Start) -> None:
    """A setting that only the service checks is reported like the settings that every service has."""
    process = await start(TINY_SIZE="large")
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said == b"millrace tiny_agent: TINY_SIZE is 'large'; it must be a number\n"


async def test_it_ends_with_its_parent(start: Start, bus: Bus, server: EmbeddedServer) -> None:
    """A service started with `--die-with-parent` ends in order when the starting process is killed -9."""
    await configure(bus, a="live")
    command = [sys.executable, str(SCRIPT), "--agent-id", ID, "--redis-url", server.url, "--die-with-parent"]
    code = f"import subprocess; subprocess.run({command!r})"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL)
    await heartbeats(bus, lambda live: live == 1)
    parent.kill()
    await parent.wait()
    await heartbeats(bus, lambda live: live == -1)
