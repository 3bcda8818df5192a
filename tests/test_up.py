"""`millrace up`: services that end are started again, and every line names who speaks."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.platform import ROOT

from millrace_bus import Bus
from millrace_bus.server.ports import free_port
from millrace_core.names import AgentId


class Lines:
    """What `up` and its services print."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[str] = []

    async def until(self, *parts: str) -> str:
        """Read until a line with all of these parts; return it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while line := (await self.process.stderr.readline()).decode():
                self.seen.append(line)
                if all(part in line for part in parts):
                    return line
        raise AssertionError(f"it ended before {parts}: {self.seen}")


@asynccontextmanager
async def up(folder: Path, **environment: str) -> AsyncIterator[Lines]:
    """Run `millrace up` on an embedded Valkey; it is ended afterwards in any case."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_cli.main", "up", "--data-dir", str(folder), "--redis-port", "0"),
        env={
            **os.environ,
            "MILLRACE_PORT": str(free_port(0)),
            "MILLRACE_CONSOLE_PORT": str(free_port(0)),
            "MILLRACE_LOG_FORMAT": "console",
            **environment,
        },
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Lines(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def pid_of(service: str, parent: int) -> int:
    """Return the process id of a service of this `up`."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    (found,) = [int(pid) for pid in children if f"millrace_{service}" in Path(f"/proc/{pid}/cmdline").read_text()]
    return found


@pytest.mark.system
async def test_a_killed_service_is_started_again_and_alerts_as_soon_as_they_are_configured(tmp_path: Path) -> None:
    """It is told, the service's lines name it, the others run on, and Ctrl-C ends everything in order.

    Nobody has to start alerts besides; without a configuration no process of theirs runs.
    """
    async with up(tmp_path) as lines:
        await lines.until("executor  |", "agent started")
        gatherer, executor = pid_of("gatherer", lines.process.pid), pid_of("executor", lines.process.pid)
        os.kill(executor, signal.SIGKILL)
        await lines.until("executor was ended by SIGKILL", "starting it again in")
        await lines.until("executor  |", "agent started")
        assert pid_of("executor", lines.process.pid) != executor
        assert pid_of("gatherer", lines.process.pid) == gatherer
        assert not any("alerts" in line for line in lines.seen)
        (url,) = re.findall(r" run on (\S+);", "".join(lines.seen))
        async with Bus.connect(url, name="test") as bus:
            receivers = {"PUBLIC": {"operator": "json://127.0.0.1:9/alerts"}}
            await bus.put_config(AgentId("ALERTS"), json.dumps({"agent": {"id": "ALERTS"}, "receivers": receivers}))
            await lines.until("alerts    |", "agent started")
        lines.process.send_signal(signal.SIGINT)
        await lines.process.communicate()
        assert lines.process.returncode == 0


@pytest.mark.system
async def test_settings_with_which_nothing_can_start_are_named_and_end_it(tmp_path: Path) -> None:
    """Each service says once what to set, and none is started again."""
    async with up(tmp_path, MILLRACE_LOG_LEVEL="loud") as lines:
        line = await lines.until("dbsync cannot start, and is not started again")
        assert "MILLRACE_LOG_LEVEL" in line
        await lines.until("no service can start with these settings")
        await lines.process.communicate()
        assert lines.process.returncode == 1
        assert sum("gatherer cannot start" in line for line in lines.seen) == 1
