"""A sweep: backtests of one strategy with many settings, over all of the recordings or window by window."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from millrace_backtest.errors import SweepFailed
from millrace_backtest.sweep.figures import OBJECTIVES, Figures
from millrace_backtest.sweep.job import Job, Outcome
from millrace_backtest.sweep.search import Search
from millrace_backtest.sweep.space import SearchSpace
from millrace_backtest.sweep.trials import Trial, TrialLog
from millrace_backtest.sweep.workers import Workers

Curve = list[tuple[int, Decimal]]


class Window(NamedTuple):
    """A part of the recordings' time (ns), by which settings are chosen, and that which follows."""

    since_ns: int | None
    until_ns: int | None
    tested_until_ns: int | None = None
    """None where nothing is tested."""


class SweptWindow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What was tried in one window, and how the best did where it was not chosen by."""

    since_ns: int | None
    until_ns: int | None
    tested_until_ns: int | None
    trials: list[Trial]
    """Those that are done, in the order of their numbers."""
    best: Trial | None
    curve: Curve
    """Of the best: time (ms) and profit, in the window that follows if there is one."""
    tested: Figures | None
    """Of the best, in the window that follows."""
    tested_value: float | None
    """Of the objective there."""


class Progress(NamedTuple):
    """How far a sweep is."""

    done: int
    of: int
    best: Trial | None
    """Of the present window."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Runs searches; `on_progress` is called when a backtest is done."""

    workers: Workers
    space: SearchSpace
    search: Search
    objective: str
    log: TrialLog
    windows: Sequence[Window]
    on_progress: Callable[[Progress], None] = lambda _progress: None

    async def run(self, stop: asyncio.Event) -> list[SweptWindow]:
        """Search every window, until all is done or `stop` is set; return the windows as far as they were searched.

        Raises:
            SpaceInvalid: the space has no grid.
            SweepFailed: no settings could be rated in a window.
        """
        found: list[SweptWindow] = []
        stopping = asyncio.create_task(stop.wait())
        try:
            for number, window in enumerate(self.windows):
                searched = _WindowSearch(self, window, number)
                await _first_of(asyncio.create_task(searched.run()), stopping)
                if searched.trials:
                    found.append(searched.result())
                if stop.is_set():
                    break
        finally:
            stopping.cancel()
        return found


async def _first_of(work: "asyncio.Task[None]", stopping: "asyncio.Task[bool]") -> None:
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
    with suppress(asyncio.CancelledError):
        await work


class _WindowSearch:
    def __init__(self, sweep: Sweep, window: Window, number: int) -> None:
        self.trials: list[Trial] = []
        self._sweep, self._window, self._number = sweep, window, number
        self._objective = OBJECTIVES[sweep.objective]
        self._of = sweep.search.count(sweep.space)
        self._running: dict[str, asyncio.Task[Outcome]] = {}
        self._curve: Curve = []
        self._tested: Figures | None = None

    async def run(self) -> None:
        sweep = self._sweep
        search = sweep.search._replace(seed=sweep.search.seed + self._number)
        await search.run(sweep.space, self._rate)
        best = self._best()
        if best is None:
            errors = sorted({trial.error or "" for trial in self.trials})
            raise SweepFailed(f"no settings could be rated: {'; '.join(errors[:3])}")
        await self._test(best)

    def result(self) -> SweptWindow:
        return SweptWindow(
            since_ns=self._window.since_ns,
            until_ns=self._window.until_ns,
            tested_until_ns=self._window.tested_until_ns,
            trials=sorted(self.trials, key=lambda trial: trial.number),
            best=self._best(),
            curve=self._curve,
            tested=self._tested,
            tested_value=None if self._tested is None else self._objective(self._tested),
        )

    async def _rate(self, number: int, parameters: dict[str, Any]) -> float | None:
        outcome = await self._outcome(Job(parameters, self._window.since_ns, self._window.until_ns))
        value = None if outcome.figures is None else self._objective(outcome.figures)
        self.trials.append(
            Trial(number=number, parameters=parameters, value=value, figures=outcome.figures, error=outcome.error)
        )
        done = self._number * self._of + len(self.trials)
        self._sweep.on_progress(Progress(done, self._of * len(self._sweep.windows), self._best()))
        return value

    async def _test(self, best: Trial) -> None:
        since_ns, until_ns, tested_until_ns = self._window
        if tested_until_ns is None:
            job = Job(best.parameters, since_ns, until_ns, with_curve=True)
        else:
            job = Job(best.parameters, until_ns, tested_until_ns, with_curve=True)
        outcome = await self._outcome(job)
        if outcome.figures is None:
            raise SweepFailed(f"the best settings could not be tested: {outcome.error}")
        self._curve = outcome.curve or []
        self._tested = None if tested_until_ns is None else outcome.figures

    async def _outcome(self, job: Job) -> Outcome:
        """Return the outcome of a job; the same job is run once."""
        if (known := self._sweep.log.known(job)) is not None:
            return known
        key = msgspec.json.encode(job).decode()
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._sweep.workers.run(job))
        outcome = await task
        self._sweep.log.add(job, outcome)
        return outcome

    def _best(self) -> Trial | None:
        """Return the best trial; of equal ones the first."""
        rated = [trial for trial in self.trials if trial.value is not None]
        return max(rated, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def windows_of(began_ns: int, ended_ns: int, in_ns: int, out_ns: int) -> list[Window]:
    """Return the windows of a walk forward: each as long as `in_ns`, tested on the `out_ns` that follow, step by step.

    Raises:
        SweepFailed: the time is too short for one.
    """
    if in_ns <= 0 or out_ns <= 0 or began_ns + in_ns + out_ns > ended_ns:
        needed, has = (in_ns + out_ns) // 1_000_000_000, (ended_ns - began_ns) // 1_000_000_000
        raise SweepFailed(f"a window and what follows last {needed:,} s; the recordings last {has:,} s")
    count = (ended_ns - began_ns - in_ns) // out_ns
    starts = [began_ns + number * out_ns for number in range(count)]
    return [Window(start, start + in_ns, start + in_ns + out_ns) for start in starts]
