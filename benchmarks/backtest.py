"""How fast a backtest plays a recording: beside its limit, reading alone, and other backtesters where they are there.

BENCH_PEERS is a Python that has nautilus_trader and hftbacktest; without it those figures are left out. Theirs count
the run of the engine alone, over data that is in memory; ours count everything, from the compressed file on.
"""

import asyncio
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, interleaved
from benchmarks.peers.busy_recording import CHANGES_A_SECOND, make
from millrace_backtest.backtest import Backtest
from millrace_backtest.playback import StreamPlayback
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.scan import scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_backtest.subscriptions import subscriptions
from millrace_core.messages import decode
from millrace_core.names import PUBLIC, StreamName, is_snapshot
from millrace_strategy import BookEvent, Strategy

SYMBOLS = 4
CHANGES = int(os.environ.get("BENCH_CHANGES", "50000"))
HOUR = SYMBOLS * CHANGES_A_SECOND * 3_600
"""Changes in an hour of four busy symbols."""
LIMIT_S = 30.0
ROUNDS = 3
PEERS = {"nautilus_trader": "nautilus.py", "hftbacktest": "hft.py"}


class Watcher(Strategy):
    """Looks at the best prices at each change."""

    seen = 0

    def on_order_book(self, event: BookEvent) -> None:
        """Look."""
        if event.book.best_bid is not None and event.book.best_ask is not None:
            self.seen += 1


async def run(folder: Path) -> list[Figure]:
    """Measure."""
    path = folder / "busy.jsonl.gz"
    make(path, SYMBOLS, CHANGES)
    ours, reading = await interleaved(ROUNDS, partial(_ours, path), partial(_reading, path))
    figures = [
        Figure("backtest, changes of books", "changes/s", ours, reading, "read, decoded and applied alone"),
        Figure("backtest, an hour of four symbols", "s", HOUR / ours, LIMIT_S, "limit", 1.0, higher_is_better=False),
    ]
    python = os.environ.get("BENCH_PEERS")
    if python is None:
        sys.stderr.write("BENCH_PEERS names no Python: nautilus_trader and hftbacktest are left out\n")
        return figures
    for name, script in PEERS.items():
        peer = await _peer(python, script, path)
        figures.append(Figure("backtest, changes of books", "changes/s", ours, peer, name))
    return figures


async def _ours(path: Path) -> float:
    """Return how many changes a second a strategy sees, from the file on."""
    began = time.perf_counter()
    source = Recording(path)
    scanned = scan([source])
    streams = subscriptions(scanned.streams, PUBLIC)
    plan = BacktestedStrategy(strategy=Watcher, tenant=PUBLIC, name="Watcher", streams=streams)
    backtest = Backtest([plan], [source], BacktestSettings(), scanned)
    await backtest.run()
    assert backtest.runs[0].runtime.strategy.seen >= CHANGES  # type: ignore[attr-defined]
    return CHANGES / (time.perf_counter() - began)


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
            players[stream].message(message, recorded.at_ns)
    return CHANGES / (time.perf_counter() - began)


async def _peer(python: str, script: str, path: Path) -> float:
    """Return how many changes a second a peer's engine takes."""
    command = (python, str(Path(__file__).parent / "peers" / "outside" / script), str(path))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, script
    figures = json.loads(output.splitlines()[-1])
    return float(figures["changes"] / figures["seconds"])
