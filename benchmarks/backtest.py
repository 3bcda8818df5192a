"""How fast a backtest plays a recording, and in how much memory: beside its limits, and other backtesters if there.

BENCH_PEERS is a Python that has nautilus_trader and hftbacktest; without it those figures are left out. Ours and
nautilus_trader's are measured in two ways: from the files of each to the end of the run, and with the data in memory.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Figure, interleaved
from benchmarks.peers.busy_recording import CHANGES_A_SECOND, make
from benchmarks.processes import peak_mb
from benchmarks.strategies.watcher import Watcher
from millrace_backtest.backtest import Backtest
from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.held import HeldRecording
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.scan import Scan, scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_backtest.subscriptions import subscriptions
from millrace_core.messages import decode
from millrace_core.names import PUBLIC, StreamName, is_snapshot

SYMBOLS = 4
CHANGES = int(os.environ.get("BENCH_CHANGES", "50000"))
HOURS = int(os.environ.get("BENCH_HOURS", "3"))
"""Of the long recording, whose memory is compared with that of one hour."""
A_HOUR = SYMBOLS * CHANGES_A_SECOND * 3_600
"""Changes in an hour of four busy symbols."""
LIMIT_S = 30.0
ROUNDS = 3
PEERS = {"nautilus_trader": "nautilus.py", "hftbacktest": "hft.py"}


class Run(NamedTuple):
    """A process that has ended."""

    seconds: float
    peak_mb: float


async def run(folder: Path) -> list[Figure]:
    """Measure."""
    path = folder / "busy.jsonl.gz"
    make(path, SYMBOLS, CHANGES)
    held = HeldRecording(path)
    files, memory, reading = await interleaved(
        ROUNDS, partial(_from_files, path), partial(_from_memory, held, scan([held])), partial(_reading, path)
    )
    figures = [
        Figure(
            "backtest, changes of books, from files", "changes/s", files, reading, "read, decoded and applied alone"
        ),
        *_hours(folder),
    ]
    python = os.environ.get("BENCH_PEERS")
    if python is None:
        sys.stderr.write("BENCH_PEERS names no Python: nautilus_trader and hftbacktest are left out\n")
        return figures
    for name, script in PEERS.items():
        peer = await _peer(python, script, path)
        if (theirs := peer.get("from_files")) is not None:
            figures.append(Figure("backtest, changes of books, from files", "changes/s", files, theirs, name, 1.0))
        target = 1.0 if name == "nautilus_trader" else None
        of = "backtest, changes of books, from memory"
        figures.append(Figure(of, "changes/s", memory, peer["from_memory"], name, target))
    return figures


def _hours(folder: Path) -> Iterator[Figure]:
    """Measure `millrace backtest` over an hour, and the memory that several take."""
    one, several = folder / "hour.jsonl.gz", folder / "hours.jsonl.gz"
    make(one, SYMBOLS, A_HOUR)
    make(several, SYMBOLS, HOURS * A_HOUR)
    hour, hours = _command(one, folder / "one"), _command(several, folder / "several")
    name = f"{SYMBOLS} symbols by `millrace backtest`"
    yield Figure(f"an hour of {name}", "s", hour.seconds, LIMIT_S, "limit", 1.0, higher_is_better=False)
    of = f"peak memory, {HOURS} hours of {name}"
    yield Figure(of, "MB", hours.peak_mb, hour.peak_mb, "an hour", 1.05, higher_is_better=False)


def _command(path: Path, out: Path) -> Run:
    """Run the command in a process of its own, on a terminal, where it draws its progress."""
    plugins = Path(__file__).parent / "strategies"
    arguments = ("backtest", "--strategy", "Watcher", "--plugin-dir", plugins, "--data", path, "--out", out)
    screen, terminal = os.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(
        (sys.executable, "-m", "millrace_cli.main", *map(str, arguments)), stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown, most_mb = bytearray(), 0.0
    with os.fdopen(screen, "rb", buffering=0) as file, suppress(OSError):  # Linux ends a terminal with EIO.
        while more := file.read(65_536):
            shown += more
            most_mb = max(most_mb, peak_mb(process.pid))
    assert process.wait() == 0, shown.decode()
    assert b"latency 5" in shown, "it draws no progress"
    return Run(time.perf_counter() - began, most_mb)


async def _from_files(path: Path) -> float:
    """Return how many changes a second a strategy sees, from the file on."""
    began = time.perf_counter()
    source = Recording(path)
    await _backtested(source, scan([source]))
    return CHANGES / (time.perf_counter() - began)


async def _from_memory(source: Recording, scanned: Scan) -> float:
    """Return the same of a recording in memory."""
    began = time.perf_counter()
    await _backtested(source, scanned)
    return CHANGES / (time.perf_counter() - began)


async def _backtested(source: Recording, scanned: Scan) -> None:
    streams = subscriptions(scanned.streams, PUBLIC)
    plan = BacktestedStrategy(strategy=Watcher, tenant=PUBLIC, name="Watcher", streams=streams)
    backtest = Backtest([plan], [source], BacktestSettings(), scanned)
    await backtest.run()
    assert backtest.runs[0].runtime.strategy.seen >= CHANGES  # type: ignore[attr-defined]


async def _reading(path: Path) -> float:
    """Return the same without strategy, clock and exchange."""
    began = time.perf_counter()
    players: dict[str, StreamPlayback] = {}
    for recorded in Recording(path):
        stream = str(StreamName.parse(recorded.name)) if is_snapshot(recorded.name) else recorded.name
        if stream not in players:
            players[stream] = StreamPlayback(StreamName.parse(stream), 0)
        assert isinstance(recorded.what, RecordedMessage)
        message = decode(recorded.what.body)
        if is_snapshot(recorded.name):
            players[stream].snapshot(message)
        else:
            players[stream].message(arrived(message, recorded.at_ns))
    return CHANGES / (time.perf_counter() - began)


async def _peer(python: str, script: str, path: Path) -> dict[str, float]:
    """Return how many changes a second a peer takes, by where it has its data."""
    command = (python, str(Path(__file__).parent / "peers" / "outside" / script), str(path))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, script
    figures = json.loads(output.splitlines()[-1])
    return {way: figures["changes"] / seconds for way, seconds in figures.items() if way != "changes"}
