"""What goes to a worker, and what comes back: plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from millrace_backtest.backtest import Backtest
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.held import HeldRecording
from millrace_backtest.result import result_of
from millrace_backtest.scan import Scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_backtest.sweep.figures import Figures, figures_of
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.errors import MillraceError
from millrace_core.names import Tenant
from millrace_magicbox.plugins import load_strategy
from millrace_strategy import SubscribedStream


@dataclass(frozen=True, kw_only=True)
class SweptStrategy:
    """What is the same in every backtest of a sweep. The strategy's class is named, since its file is no module."""

    plugin: str
    plugin_dir: Path | None
    tenant: Tenant
    name: str
    configuration: Mapping[str, Any]
    """Its settings besides those that are searched."""
    streams: tuple[SubscribedStream, ...]
    limits: StrategyLimits
    recordings: tuple[Path, ...]
    is_held: bool = False
    """Whether each worker holds the recordings in memory."""
    settings: BacktestSettings
    scanned: Scan
    currency: str | None
    """Of the figures; None for the only one."""


class Job(msgspec.Struct, frozen=True):
    """One backtest."""

    parameters: dict[str, Any]
    since_ns: int | None
    until_ns: int | None
    with_curve: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What became of a backtest: figures, or an error."""

    figures: Figures | None = None
    curve: list[tuple[int, Decimal]] | None = None
    """Time (ms) and profit, if it was asked for."""
    error: str | None = None


def sources_of(swept: SweptStrategy) -> Sequence[Recording]:
    """Return the recordings of a sweep, for all of a worker's backtests.

    Raises:
        RecordingUnreadable: a file is no recording.
    """
    kind = HeldRecording if swept.is_held else Recording
    return [kind(path) for path in swept.recordings]


async def run_job(swept: SweptStrategy, sources: Sequence[Recording], job: Job) -> Outcome:
    """Run one backtest; that the strategy raises when it is made, or is stopped for its errors, is its outcome."""
    try:
        plan = BacktestedStrategy(
            strategy=load_strategy(swept.plugin, swept.plugin_dir),
            tenant=swept.tenant,
            name=swept.name,
            configuration={**swept.configuration, **job.parameters},
            streams=swept.streams,
            limits=swept.limits,
        )
        settings = replace(swept.settings, since_ns=job.since_ns, until_ns=job.until_ns)
        backtest = Backtest([plan], sources, settings, swept.scanned)
        await backtest.run()
        result = result_of(backtest, ())
        if result.strategies[0].stopped is not None:
            # What it gained until then compares with nothing: of settings that lose, those would be the best.
            return Outcome(error=result.strategies[0].stopped)
        figures = figures_of(result, swept.currency)
    except MillraceError as error:
        return Outcome(error=str(error))
    except Exception as error:  # noqa: BLE001 - a strategy's own code may raise anything
        return Outcome(error=f"{type(error).__name__}: {error}")
    curve = next((each.curve for each in result.equity if each.currency == figures.currency), [])
    return Outcome(figures, curve if job.with_curve else None)
