"""Sweeps in real workers: the same result however many there are, kept, and taken up again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from millrace_backtest.errors import SweepFailed
from millrace_backtest.recording.files import Recording
from millrace_backtest.report.sweep_page import sweep_html
from millrace_backtest.result import data_of
from millrace_backtest.scan import scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.sweep.job import Job, SweptStrategy
from millrace_backtest.sweep.result import SweepResult, write_result
from millrace_backtest.sweep.search import Search
from millrace_backtest.sweep.space import read_space
from millrace_backtest.sweep.sweep import Sweep, SweptWindow, Window, windows_of
from millrace_backtest.sweep.trials import TrialLog
from millrace_backtest.sweep.workers import Workers
from millrace_core.config.magicbox import StrategyLimits

from .conftest import START_NS, STREAMS, TENANT, Tape

S = 1_000_000_000
SPACE = '{"amount": [1, 2, 4], "step": {"from": 1, "to": 9}}'
STRATEGY = """
from millrace_strategy import BookEvent, Strategy, StrategyConfiguration

class Settings(StrategyConfiguration):
    amount: int
    step: int = 3

class Buyer(Strategy):
    Configuration = Settings
    seen = 0

    def __init__(self, context):
        super().__init__(context)
        if self.configuration.amount == 4 and self.configuration.step == 9:
            raise RuntimeError("not these")
        self.fails = self.configuration.amount == 4 and self.configuration.step == 8
        print("printed by a strategy")

    def on_order_book(self, event: BookEvent) -> None:
        self.seen += 1
        if self.fails:
            raise RuntimeError("nor these")
        if self.seen % self.configuration.step == 0:
            side = "sell" if self.seen % 2 else "buy"
            self.trader.create_order(
                exchange=event.exchange, symbol=event.symbol, side=side, type="market", amount=self.configuration.amount
            )
"""


@pytest.fixture
def swept(tmp_path: Path) -> SweptStrategy:
    """A strategy in a file, and a minute in which the price goes up, then down."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "buyer.py").write_text(STRATEGY)
    tape = Tape(tmp_path / "tape.jsonl.gz")
    tape.begin([(100.0, 50.0)], [(101.0, 50.0)])
    for second in range(60):
        tape.wait(1_000)
        price = 100.0 + (second if second < 30 else 60 - second)
        tape.change(*tape.book.difference([(price, 50.0)], [(price + 1, 50.0)]))
    source = tape.end()
    return SweptStrategy(
        plugin="Buyer",
        plugin_dir=folder,
        tenant=TENANT,
        name="S",
        configuration={},
        streams=STREAMS,
        limits=StrategyLimits(),
        recordings=(source.path,),
        settings=BacktestSettings(),
        scanned=scan([source]),
        currency=None,
    )


async def searched(
    swept: SweptStrategy, folder: Path, windows: Sequence[Window], *, workers: int = 2, method: Any = "tpe"
) -> list[SweptWindow]:
    """Search."""
    async with Workers(swept, workers) as pool:
        sweep = Sweep(
            workers=pool,
            space=read_space(SPACE),
            search=Search(method, 20, seed=3),
            objective="profit",
            log=TrialLog(folder, {"of": "these"}),
            windows=windows,
        )
        return await sweep.run(asyncio.Event())


async def test_a_seed_has_one_result(swept: SweptStrategy, tmp_path: Path) -> None:
    """With one worker and with two that hold the recording; and once more of what was kept, without the strategy."""
    whole = [Window(None, None)]
    found = await searched(swept, tmp_path / "one", whole, workers=1)
    assert found == await searched(replace(swept, is_held=True), tmp_path / "two", whole, workers=2)
    assert len({str(trial.parameters) for trial in found[0].trials}) > 5
    best = found[0].best
    assert best is not None
    assert best.value == max(trial.value for trial in found[0].trials if trial.value is not None)
    assert swept.plugin_dir is not None
    log = tmp_path / "one" / "trials.jsonl"
    log.write_bytes(log.read_bytes() + b'{"key": "cut o')
    (swept.plugin_dir / "buyer.py").unlink()
    rated = [trial for trial in found[0].trials if trial.error is None]
    again = await searched(swept, tmp_path / "one", whole)
    assert [trial for trial in again[0].trials if trial.error is None] == rated
    with pytest.raises(SweepFailed, match="another sweep"):
        TrialLog(tmp_path / "one", {"of": "others"})


async def test_a_walk_forward(swept: SweptStrategy, tmp_path: Path) -> None:
    """The best of each window runs on the next one; a grid tries all that it can; what cannot be rated is told."""
    windows = windows_of(START_NS, START_NS + 60 * S, 30 * S, 15 * S)
    assert [((w.since_ns or 0) - START_NS) // S for w in windows] == [0, 15]
    found = await searched(swept, tmp_path / "walk", windows, method="grid")
    assert [len(window.trials) for window in found] == [20, 20]
    assert all(window.tested is not None and window.tested.trades for window in found)
    ends_ms = [(START_NS + at * S) // 1_000_000 for at in (45, 60)]
    assert [window.curve[-1][0] for window in found] == pytest.approx(ends_ms, abs=1_000)
    result = SweepResult(
        strategy="Buyer",
        name="S",
        tenant=TENANT,
        configuration={},
        space={"amount": [1, 2, 4], "step": {"from": 1, "to": 9}},
        objective="profit",
        search="grid",
        seed=3,
        settings={"latency": "5", "fees": {}, "balances": None},
        data=data_of(swept.scanned, 0, ["tape"]),
        is_complete=True,
        windows=found,
    )
    write_result(tmp_path, result)
    page = sweep_html(result)
    assert "a day out of sample" in page
    assert ("RuntimeError: not these" in page) == any(trial.error for window in found for trial in window.trials)
    with pytest.raises(SweepFailed, match="the recordings last 60 s"):
        windows_of(START_NS, START_NS + 60 * S, 50 * S, 15 * S)


async def test_a_worker_that_dies_is_replaced(swept: SweptStrategy) -> None:
    """Its backtest has no figures; the next one has. Nor has one whose strategy cannot be made, or is stopped."""
    async with Workers(swept, 1) as workers:
        job = Job({"amount": 1}, None, None)
        first = await workers.run(job)
        (process,) = workers._running
        running = asyncio.create_task(workers.run(job))
        process.kill()
        lost = await running
        assert lost.error is None or "ended with code -9" in lost.error
        assert (await workers.run(job)).figures == first.figures
        broken = await workers.run(Job({"amount": 4, "step": 9}, None, None))
        assert broken.error == "S cannot be made: RuntimeError: not these (buyer.py, line 15)"
        stopped = await workers.run(Job({"amount": 4, "step": 8}, None, None))
        assert stopped.figures is None
        assert "was stopped after" in (stopped.error or "")
    assert Recording(swept.recordings[0]).path.exists()
