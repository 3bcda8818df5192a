"""`millrace demo`: the command that a newcomer types first."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.processes import family, resident_mb
from tests.support.platform import ROOT, until

from millrace_cli.scaffold.command import write_strategy

PROCESSES = 9
"""The demo itself, Valkey, the simulated exchange, five services and the console."""
FILLS = 8
"""After so many fills a demo has shown what it shows."""


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo on free ports; it is ended afterwards in any case."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_cli.main", "demo", "--data-dir", str(folder / "data"),
        "--redis-port", "0", "--simulator-port", "0", "--api-port", "0", "--console-port", "0", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def all_running(process: asyncio.subprocess.Process) -> list[int]:
    """Wait until all of the demo's processes run; return their ids."""

    async def whole_family() -> list[int] | None:
        members = family(process.pid)
        return members if len(members) >= PROCESSES else None

    members: list[int] = await until(whole_family, f"the demo's {PROCESSES} processes run")
    return members


def fills(folder: Path) -> int:
    """Count the fills in the exchange's journal."""
    journal = folder / "data" / "exchange.journal"
    return journal.read_bytes().count(b'"fill":{') if journal.exists() else 0


def alive(pids: list[int]) -> list[int]:
    """Return those that still run."""
    return [pid for pid in pids if resident_mb(pid) > 0]


async def all_gone(pids: list[int]) -> None:
    """Wait until processes have ended."""

    async def have_ended() -> bool:
        return alive(pids) == []

    names = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in alive(pids)}
    await until(have_ended, f"every process is gone: {names}")


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_a_demo_goes_on_where_one_that_was_killed_ended(tmp_path: Path) -> None:
    """A kill leaves no process behind; on the same folder twenty seconds are enough for all that a demo shows."""
    async with demo(tmp_path, "--quiet") as process:
        members = await all_running(process)
        journal, seen = tmp_path / "data" / "exchange.journal", b""

        async def has_filled() -> bool:
            nonlocal seen
            before, seen = seen, journal.read_bytes() if journal.exists() else b""
            # Nothing has happened for a moment, so that no request is under way, which would end as unknown.
            return fills(tmp_path) > 0 and before == seen

        await until(has_filled, "the first demo has filled an order", timeout=90)
        process.kill()
        await process.communicate()
        await all_gone(members)
    async with demo(tmp_path, "--for", "20", "--report", str(tmp_path / "report.json")) as process:
        members = await all_running(process)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert alive(members) == []
    check_report(json.loads((tmp_path / "report.json").read_text()))


def check_report(report: dict[str, Any]) -> None:
    """Check that books, orders, fills and latencies were seen, without a gap or an error."""
    assert report["liveBooksAfterSeconds"] is not None
    assert report["filledOrderAfterSeconds"] is not None
    assert report["orders"].get("closed", 0) > 0, report
    assert report["answers"]["done"] > 0
    assert report["gaps"] == 0
    assert (report["errorCount"], report["untrusted"]) == (0, []), report
    assert {"received→published", "decided→accepted", "sent→acknowledged"} <= set(report["latencyMs"])
    assert set(report["answers"]) <= {"done", "rejected"}, report["errors"]


@pytest.mark.system
async def test_a_demo_without_a_fill_fails(tmp_path: Path) -> None:
    """It ends with an exit code that scripts see, and says what is missing."""
    async with demo(tmp_path, "--for", "3", "--events-per-second", "0", "--quiet") as process:
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert "no order was filled" in output.decode()


@pytest.mark.system
async def test_ctrl_c_ends_a_demo_that_is_still_starting(tmp_path: Path) -> None:
    """A person who changed their mind need not wait; how soon depends on the machine, so that only a hang counts."""
    async with demo(tmp_path, "--quiet") as process:
        members = await all_running(process)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            await process.communicate()
        assert alive(members) == []


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_a_new_strategy_trades_in_the_demo(tmp_path: Path) -> None:
    """As `millrace new` wrote it, with its own configuration: orders are filled, and nothing fails."""
    folder = tmp_path / "mine"
    write_strategy("Quoter", folder)
    arguments = ("--plugin-dir", str(folder), "--quiet", "--report", str(tmp_path / "report.json"))
    async with demo(tmp_path, *arguments) as process:

        async def has_filled() -> bool:
            return fills(tmp_path) >= FILLS

        await until(has_filled, "the new strategy's orders are filled", timeout=150)
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    check_report(json.loads((tmp_path / "report.json").read_text()))
