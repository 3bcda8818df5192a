"""`millrace demo`: the command that a newcomer types first."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import ROOT, until


async def demo(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start the demo on ports that nobody else uses."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_cli.main", "demo", "--data-dir", str(folder / "data"),
        "--redis-port", "0", "--simulator-port", "0", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"MILLRACE_TEST_MARK": str(folder)},
    )  # fmt: skip


def marked(folder: Path) -> list[int]:
    """Give the processes that the demo of this test started, directly or not."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            mark = f"MILLRACE_TEST_MARK={folder}".encode()
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.mark.system
async def test_the_demo_shows_live_books_and_filled_orders(tmp_path: Path) -> None:
    """Twenty seconds are enough for books, orders, fills and latencies, without a gap or an error."""
    process = await demo(tmp_path, "--for", "20", "--report", str(tmp_path / "report.json"))
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert marked(tmp_path) == []
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert report["liveBooksAfterSeconds"] < 20
    assert report["filledOrderAfterSeconds"] < 20
    assert report["orders"]["closed"] > 0
    assert report["answers"]["done"] > 0
    assert report["gaps"] == 0
    assert report["untrusted"] == []
    assert {"received→published", "decided→accepted", "sent→acknowledged"} <= set(report["latencyMs"])
    assert set(report["answers"]) <= {"done", "rejected"}, report["errors"]


@pytest.mark.system
async def test_ctrl_c_ends_everything_within_five_seconds(tmp_path: Path) -> None:
    """Nothing is left running."""
    process = await demo(tmp_path, "--quiet")

    async def all_run() -> bool:
        return len(marked(tmp_path)) >= 6

    await until(all_run, "the demo's six processes run")
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    await process.communicate()
    assert time.monotonic() - started < 5
    assert marked(tmp_path) == []


@pytest.mark.system
async def test_a_killed_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """Even kill -9 of the demo itself ends its services and its server."""
    process = await demo(tmp_path, "--quiet")

    async def all_run() -> bool:
        return len(marked(tmp_path)) >= 6

    await until(all_run, "the demo's six processes run")
    process.kill()
    await process.communicate()

    async def all_gone() -> bool:
        return marked(tmp_path) == []

    await until(all_gone, "every process is gone", timeout=5)
