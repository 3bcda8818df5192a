"""A figure is a ratio: ours against a limit or a peer, the median of interleaved rounds."""

import json
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    target: float | None = None
    """The required ratio; None for a figure that only informs."""
    higher_is_better: bool = True

    @property
    def ratio(self) -> float:
        """Return our figure divided by the peer's."""
        return self.ours / self.peer

    @property
    def met(self) -> bool | None:
        """Tell whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.higher_is_better else self.ratio <= self.target


async def interleaved(rounds: int, *measures: Callable[[], Awaitable[float]]) -> list[float]:
    """Return the median of each measure over several alternating rounds, so that drift affects all alike."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(taken, measures, strict=True):
            values.append(await measure())
    return [statistics.median(values) for values in taken]


def show(figures: list[Figure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table("figure", "ours", "limit or peer", "", "ratio", "target", box=None)
    for figure in figures:
        sign = "≥" if figure.higher_is_better else "≤"
        verdict = {None: "", True: f"{sign} {figure.target} met", False: f"{sign} {figure.target} MISSED"}[figure.met]
        table.add_row(
            f"{figure.name}, {figure.unit}",
            f"{figure.ours:,.3g}" if figure.ours < 1_000 else f"{figure.ours:,.0f}",
            f"{figure.peer:,.3g}" if figure.peer < 1_000 else f"{figure.peer:,.0f}",
            figure.peer_name,
            f"{figure.ratio:.2f}",
            verdict,
        )
    console.print(table)


def as_json(figures: list[Figure]) -> str:
    """Return the figures for a program."""
    return json.dumps([asdict(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in figures], indent=2)
