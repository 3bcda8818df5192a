"""An agent with workers, run as a process on a real server, and what its heartbeat says."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_core.heartbeat import Heartbeat, UnitHealth, WorkerHealth
from millrace_core.names import AgentId

ID = AgentId("BUSY")
PATIENCE_S = 60


class AgentProcess:
    """The agent's process, its configuration and its heartbeat."""

    def __init__(self, bus: Bus, server: EmbeddedServer, log: Path) -> None:
        self._bus, self._server, self._log = bus, server, log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, **environ: str) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(Path(__file__).with_name("busy_agent.py")), "--agent-id", ID),
                *("--redis-url", self._server.url, "--die-with-parent", str(os.getpid())),
                env=os.environ | environ,
                stdout=log,
                stderr=log,
            )

    async def configure(self, units: dict[str, str], **more: Any) -> None:
        """Write a configuration."""
        await self._bus.put_config(ID, json.dumps({"agent": {"id": ID}, "units": units} | more))

    async def shows(self, condition: Callable[[Heartbeat], bool], within_s: float = PATIENCE_S) -> Heartbeat:
        """Wait until the heartbeat meets a condition."""
        last: Heartbeat | None = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for last in await self._bus.heartbeats():
                        if condition(last):
                            return last
                    await asyncio.sleep(0.02)  # Redis announces no contents, so that there is nothing to wait for
        except TimeoutError:
            raise AssertionError(f"the heartbeat never showed it; the last one: {last}\n{self.log()}") from None

    async def shows_live(self, *names: str, within_s: float = PATIENCE_S) -> Heartbeat:
        """Wait until exactly these units are live, in live workers."""
        return await self.shows(
            lambda beat: (
                {unit.name: unit.state for unit in beat.units} == dict.fromkeys(names, "live")
                and all(worker.state == "live" for worker in beat.workers)
            ),
            within_s,
        )

    async def stopped_note(self, unit: str) -> str:
        """Return what the agent left when a unit was stopped."""
        text: bytes | None = await self._bus._publishing.call("GET", f"stream.config.STOPPED-{unit}")
        return (text or b"").decode()

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    def family(self) -> list[int]:
        """Return the processes that it started, directly or not."""
        return descendants(self.pid)

    @staticmethod
    async def all_end(pids: list[int]) -> None:
        """Wait until none of these processes is there any more."""
        async with asyncio.timeout(PATIENCE_S):
            while any(is_alive(pid) for pid in pids):
                await asyncio.sleep(0.02)  # the kernel tells only the parent

    @staticmethod
    async def uses_cpu(pid: int) -> None:
        """Wait until a process has used half a second of CPU since the call."""
        before = cpu_s(pid)
        async with asyncio.timeout(PATIENCE_S):
            while cpu_s(pid) < before + 0.5:
                await asyncio.sleep(0.02)  # the kernel announces no CPU time

    @staticmethod
    def unit(beat: Heartbeat, name: str) -> UnitHealth:
        """Return a unit of a heartbeat."""
        return next(unit for unit in beat.units if unit.name == name)

    @staticmethod
    def worker(beat: Heartbeat, unit: str) -> WorkerHealth:
        """Return the worker that runs a unit."""
        name = AgentProcess.unit(beat, unit).worker
        return next(worker for worker in beat.workers if worker.name == name)

    async def end(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signum)
        return await self._process.wait()

    async def close(self) -> None:
        """Kill it if it runs."""
        if self._process is not None and self._process.returncode is None:
            await self.end(signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the processes that one started, directly or not."""
    found, parents = [], {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
    members = [pid]
    for member in members:
        children = [child for child, parent in parents.items() if parent == member]
        found += children
        members += children
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
async def agent(bus: Bus, server: EmbeddedServer, tmp_path: Path) -> AsyncIterator[AgentProcess]:
    """An agent, still to be started."""
    agent = AgentProcess(bus, server, tmp_path / "agent.log")
    yield agent
    await agent.close()
