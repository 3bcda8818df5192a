"""`millrace sweep`: a strategy backtested with many settings, on all cores."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from inspect import getsourcefile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from millrace_cli.backtests.arguments import ExchangeArguments, StrategyArguments
from millrace_cli.backtests.progress import messages_bar
from millrace_cli.option_groups import grouped
from millrace_cli.options import AsJson
from millrace_cli.running import CommandFailed, run
from millrace_core.clock import NS_PER_MS

if TYPE_CHECKING:
    from millrace_backtest.recording.files import Recording
    from millrace_backtest.scan import Scan
    from millrace_backtest.settings import BacktestSettings
    from millrace_backtest.strategies import BacktestedStrategy
    from millrace_backtest.sweep.job import SweptStrategy
    from millrace_backtest.sweep.result import SweepResult
    from millrace_backtest.sweep.search import Search
    from millrace_backtest.sweep.space import SearchSpace
    from millrace_backtest.sweep.sweep import Progress, SweptWindow, Window
    from millrace_backtest.sweep.trials import Trial


@dataclass(frozen=True, kw_only=True)
class SearchArguments:
    """What is searched, and how."""

    space: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="JSON file: a range or a list of values by parameter.")
    ]
    objective: Annotated[
        str, typer.Option(help="profit, sharpe, sortino, profit-to-drawdown, profit-per-trade or drawdown.")
    ] = "profit"
    currency: Annotated[str | None, typer.Option(help="Of the profit, if there are several.")] = None
    trials: Annotated[int | None, typer.Option(min=1, help="Backtests, in each window. [50; a grid: all]")] = None
    search: Annotated[str, typer.Option(help="tpe (learns from earlier ones), random or grid.")] = "tpe"
    walk_forward: Annotated[
        str | None,
        typer.Option(metavar="IN:OUT", help="Choose in windows such as 6h:2h or 30d:1w, test on what follows."),
    ] = None
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default as many as cores.")] = None
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Hold the recordings, decoded, in each process: faster.")
    ] = False

    def read_space(self) -> "SearchSpace":
        """Return the search space.

        Raises:
            SpaceInvalid: the file holds none.
        """
        from millrace_backtest.sweep.space import read_space

        return read_space(self.space.read_text())

    def read_search(self, seed: int) -> "Search":
        """Return how the space is searched.

        Raises:
            CommandFailed: there is no such objective or search.
        """
        from millrace_backtest.sweep.figures import OBJECTIVES
        from millrace_backtest.sweep.search import AHEAD, Search

        if self.objective not in OBJECTIVES:
            raise CommandFailed(f"{self.objective!r} is no objective: choose one of {', '.join(OBJECTIVES)}")
        if self.search not in ("tpe", "random", "grid"):
            raise CommandFailed(f"{self.search!r} is no search: choose tpe, random or grid")
        wanted = self.trials or (1_000_000 if self.search == "grid" else 50)
        return Search(self.search, wanted, seed, max(AHEAD, self.count_workers()))  # type: ignore[arg-type]

    def count_workers(self) -> int:
        """Return the number of processes."""
        return self.workers or os.cpu_count() or 1

    def windows(self, settings: "BacktestSettings", scanned: "Scan") -> "list[Window]":
        """Return the windows to search: all of the recordings, or those of a walk forward.

        Raises:
            CommandFailed: they cannot be read.
            SweepFailed: the recordings are too short for one.
        """
        from millrace_backtest.sweep.sweep import Window, windows_of
        from millrace_core.intervals import Interval

        if self.walk_forward is None:
            return [Window(settings.since_ns, settings.until_ns)]
        try:
            inside, outside = (Interval.parse(part) for part in self.walk_forward.split(":"))
        except ValueError as error:
            raise CommandFailed(f"{self.walk_forward!r} are no windows: write 6h:2h, or 30m:10m") from error
        if inside.months or outside.months:
            raise CommandFailed(f"{self.walk_forward!r}: months differ in length and windows do not: write 30d, or 4w")
        began_ns, ended_ns = settings.since_ns or scanned.began_ns, settings.until_ns or scanned.ended_ns
        return windows_of(began_ns, ended_ns, inside.length_ms * NS_PER_MS, outside.length_ms * NS_PER_MS)


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("sweep")
    @grouped
    def sweep_command(
        arguments: StrategyArguments,
        searched: SearchArguments,
        exchanges: ExchangeArguments,
        out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="Folder for the results.")] = Path(
            "sweep"
        ),
        as_json: AsJson = False,
    ) -> None:
        """Backtest a strategy with many settings, and write sweep.json, trials, best.json and sweep.html.

        Ctrl-C keeps what was done; the same command with the same folder goes on.

        Example: millrace sweep --strategy PingPong --space space.json --data recordings --objective sharpe
        """
        console = Console(stderr=True)

        async def work(stop: asyncio.Event) -> None:
            result = await _sweep(arguments, searched, exchanges.settings(), out, console, stop)
            if as_json:
                typer.echo((out / "sweep.json").read_text(), nl=False)
            else:
                _print(result, out)
            if not result.is_complete:
                raise typer.Exit(130)

        run(work, as_json=as_json)


async def _sweep(
    arguments: StrategyArguments,
    searched: SearchArguments,
    settings: "BacktestSettings",
    out: Path,
    console: Console,
    stop: asyncio.Event,
) -> "SweepResult":
    from millrace_backtest.scan import scan
    from millrace_backtest.sweep.sweep import Sweep
    from millrace_backtest.sweep.trials import TrialLog
    from millrace_backtest.sweep.workers import Workers

    space, search, sources = searched.read_space(), searched.read_search(settings.seed), arguments.sources()
    with messages_bar(console) as progress:
        task = progress.add_task("reading", total=None)

        def read(messages: int) -> None:
            if stop.is_set():
                raise CommandFailed("interrupted while the recordings were read")
            progress.update(task, completed=messages)

        scanned = await asyncio.to_thread(scan, sources, read)
        plan = arguments.only_plan(scanned, is_checked=False)
        space.check(plan.strategy.Configuration, plan.configuration)
        windows = searched.windows(settings, scanned)
        progress.reset(task, total=search.count(space) * len(windows), description="searching")

        def show(done: "Progress") -> None:
            progress.update(task, completed=done.done, description=_described(done.best, searched.objective))

        swept = _swept(arguments, searched, plan, sources, settings, scanned)
        described = _described_sweep(arguments, searched, swept, sources)
        log = TrialLog(out, described)
        if log.found:
            console.print(f"{log.found:,} backtests were done before")
        async with Workers(swept, searched.count_workers()) as workers:
            sweep = Sweep(
                workers=workers,
                space=space,
                search=search,
                objective=searched.objective,
                log=log,
                windows=windows,
                on_progress=show,
            )
            found = await sweep.run(stop)
    return _write(out, _result(described, searched, search, swept, sources, found, not stop.is_set()))


def _swept(
    arguments: StrategyArguments,
    searched: SearchArguments,
    plan: "BacktestedStrategy",
    sources: "Sequence[Recording]",
    settings: "BacktestSettings",
    scanned: "Scan",
) -> "SweptStrategy":
    from millrace_backtest.sweep.job import SweptStrategy

    return SweptStrategy(
        plugin=arguments.plugin_name(plan),
        plugin_dir=arguments.folder(),
        tenant=plan.tenant,
        name=plan.name,
        configuration=plan.configuration,
        streams=plan.streams,
        limits=plan.limits,
        recordings=tuple(source.path for source in sources),
        settings=settings,
        scanned=scanned,
        currency=searched.currency,
        is_held=searched.in_memory,
    )


def _described_sweep(
    arguments: StrategyArguments,
    searched: SearchArguments,
    swept: "SweptStrategy",
    sources: "Sequence[Recording]",
) -> dict[str, Any]:
    """Return what a sweep's results depend on: one that goes on must be the same."""
    from millrace_backtest.result import settings_of

    source = getsourcefile(arguments.load(swept.plugin))
    return {
        "strategy": swept.plugin,
        "source": None if source is None else sha256(Path(source).read_bytes()).hexdigest(),
        "tenant": swept.tenant,
        "name": swept.name,
        "configuration": dict(swept.configuration),
        "streams": [str(stream) for stream in swept.streams],
        "recordings": [[each.path.name, each.path.stat().st_size] for each in sources],
        "settings": settings_of(swept.settings),
        "currency": searched.currency,
    }


def _result(
    described: dict[str, Any],
    searched: SearchArguments,
    search: "Search",
    swept: "SweptStrategy",
    sources: "Sequence[Recording]",
    windows: "list[SweptWindow]",
    is_complete: bool,
) -> "SweepResult":
    from millrace_backtest.result import data_of
    from millrace_backtest.sweep.result import SweepResult

    return SweepResult(
        strategy=swept.plugin,
        name=swept.name,
        tenant=swept.tenant,
        configuration=dict(swept.configuration),
        space=json.loads(searched.space.read_text()),
        objective=searched.objective,
        search=search.method,
        seed=search.seed,
        settings=described["settings"],
        data=data_of(swept.scanned, swept.scanned.messages, [source.path.name for source in sources]),
        is_complete=is_complete,
        windows=windows,
    )


def _write(out: Path, result: "SweepResult") -> "SweepResult":
    from millrace_backtest.report.sweep_page import sweep_html
    from millrace_backtest.sweep.result import PAGE, write_result

    write_result(out, result)
    (out / PAGE).write_text(sweep_html(result), encoding="utf-8")
    return result


def _described(best: "Trial | None", objective: str) -> str:
    if best is None or best.value is None:
        return "searching"
    return f"best {objective} {best.value:,.6g} ({_parameters(best)})"


def _parameters(trial: "Trial") -> str:
    return ", ".join(f"{name} {value}" for name, value in trial.parameters.items())


def _print(result: "SweepResult", out: Path) -> None:
    for number, window in enumerate(result.windows, 1):
        best = window.best
        if best is None or best.figures is None:
            continue
        where = f"window {number}: " if len(result.windows) > 1 else ""
        currency = best.figures.currency or ""
        typer.echo(
            f"{where}best {result.objective} {best.value:,.6g} of {len(window.trials):,} with {_parameters(best)}: "
            f"profit {best.figures.profit:,f} {currency}, drawdown {best.figures.drawdown:,f}, "
            f"{best.figures.trades:,} trades"
        )
        if window.tested is not None:
            typer.echo(f"  out of sample: profit {window.tested.profit:,f} {currency}, {window.tested.trades:,} trades")
    failed = sum(trial.error is not None for window in result.windows for trial in window.trials)
    if failed:
        typer.echo(f"{failed:,} backtests could not be rated")
    if not result.is_complete:
        typer.echo("interrupted: the same command goes on")
    typer.echo(f"{out / 'sweep.html'}, sweep.json, trials.parquet, best.json")
