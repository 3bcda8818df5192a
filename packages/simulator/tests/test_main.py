"""The process: reports its address, reads its options, ends on a signal."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

Start = Callable[..., Awaitable[tuple[Process, dict[str, Any]]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start the simulator and wait for the line that says it is ready; whatever still runs is killed at the end."""
    started: list[Process] = []

    async def start(*arguments: str) -> tuple[Process, dict[str, Any]]:
        command = (sys.executable, "-m", "millrace_simulator", "--port", "0", *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 30))

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_reports_its_address_and_ends_on_a_signal(start: Start, number: signal.Signals) -> None:
    """One line as JSON with the address; a signal ends it cleanly."""
    process, ready = await start("--seed", "5")
    assert (ready["event"], ready["seed"]) == ("simulator is ready", 5)
    async with ClientSession() as session, session.get(f"{ready['address']}/simulator/status") as response:
        assert (await response.json())["seed"] == 5
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_options_reach_the_exchange(start: Start, tmp_path: Path) -> None:
    """A config file is read, and options go before it."""
    config = tmp_path / "simulator.json"
    config.write_text(json.dumps({"seed": 3, "eventsPerSecond": 50}))
    _, ready = await start("--config", str(config), "--events-per-second", "70", "--record", "--dialect", "kucoin")
    async with ClientSession() as session, session.get(f"{ready['address']}/simulator/status") as response:
        status = await response.json()
    assert (status["seed"], status["eventsPerSecond"], status["recording"]) == (3, 70, True)
    assert (ready["dialect"], status["dialect"], "KCS-USDT" in status["symbols"]) == ("kucoin", "kucoin", True)


async def test_a_bad_config_is_reported_and_ends_it(start: Start, tmp_path: Path) -> None:
    """It does not start on settings that it cannot read, and says what is wrong."""
    config = tmp_path / "simulator.json"
    config.write_text(json.dumps({"seed": "many"}))
    process, line = await start("--config", str(config))
    assert (line["level"], "seed" in line["reason"]) == ("error", True)
    assert await process.wait() == 1
