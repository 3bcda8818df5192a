"""The result of a sweep, and its files. The same recordings, settings and seed lead to the same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from millrace_backtest.result import DataResult
from millrace_backtest.sweep.figures import Figures
from millrace_backtest.sweep.sweep import SweptWindow
from millrace_backtest.sweep.trials import Trial
from millrace_core.messages import encode
from millrace_core.position import digits

if TYPE_CHECKING:
    import polars as pl

RESULT: Final = "sweep.json"
TRIALS: Final = "trials.parquet"
BEST: Final = "best.json"
PAGE: Final = "sweep.html"


class SweepResult(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Everything that was tried, and what was best."""

    strategy: str
    name: str
    tenant: str
    configuration: dict[str, Any]
    """The settings that were not searched."""
    space: dict[str, Any]
    objective: str
    search: str
    seed: int
    settings: dict[str, Any]
    data: DataResult
    is_complete: bool
    """False if it was interrupted."""
    windows: list[SweptWindow]
    """One without a walk forward."""

    @property
    def best(self) -> Trial | None:
        """Return the best of the last window; None if nothing was done."""
        return self.windows[-1].best if self.windows else None


def write_result(folder: Path, result: SweepResult) -> None:
    """Write the result, the trials as a table, and the best settings as a configuration."""
    (folder / RESULT).write_bytes(msgspec.json.format(encode(result), indent=2) + b"\n")
    _trials(result).write_parquet(folder / TRIALS)
    if result.best is not None:
        best = {**result.configuration, **result.best.parameters}
        (folder / BEST).write_bytes(msgspec.json.format(encode(best), indent=2) + b"\n")


def _trials(result: SweepResult) -> "pl.DataFrame":
    # Imported on use: it takes 0.3 s and 60 MB.
    import polars as pl

    names = Figures.__struct_fields__
    kinds = {"trades": pl.Int64, "requests": pl.Int64, "errors": pl.Int64, "sharpe": pl.Float64, "sortino": pl.Float64}
    schema = {
        "window": pl.Int64,
        "number": pl.Int64,
        "parameters": pl.String,
        "value": pl.Float64,
        "error": pl.String,
        **{name: kinds.get(name, pl.String) for name in names},
    }
    rows = [
        (
            *(number, trial.number, encode(trial.parameters).decode(), trial.value, trial.error),
            *(_cell(trial.figures, name) for name in names),
        )
        for number, window in enumerate(result.windows, 1)
        for trial in window.trials
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cell(figures: Figures | None, name: str) -> Any:
    value = None if figures is None else getattr(figures, name)
    return digits(value) if name in ("profit", "drawdown", "fees", "turnover") and value is not None else value
