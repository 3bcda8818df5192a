"""What a backtest comes to, in a few numbers, and the one by which settings are compared. Pure."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, pstdev
from typing import Final

import msgspec

from millrace_backtest.errors import SweepFailed
from millrace_backtest.result import BacktestResult, EquityResult
from millrace_core.clock import DAY_MS

_YEAR_MS: Final = 365 * DAY_MS
_HIGHEST: Final = 1_000_000.0
"""Of a quotient whose divisor is next to nothing."""


class Figures(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a strategy gained, in one currency."""

    currency: str | None
    """None if it never traded."""
    profit: Decimal
    """Realised and open, less the fees."""
    drawdown: Decimal
    """The deepest."""
    fees: Decimal
    turnover: Decimal
    trades: int
    requests: int
    errors: int
    """How often hooks raised."""
    sharpe: float
    """Mean change of the equity by its standard deviation, times the square root of changes a year."""
    sortino: float
    """As `sharpe`, by the deviation of the falls."""


def figures_of(result: BacktestResult, currency: str | None) -> Figures:
    """Return the figures of a result, in one currency: that which is named, or the only one.

    Raises:
        SweepFailed: there are several and none is named.
    """
    currencies = [each.currency for each in result.equity]
    if currency is None and len(currencies) > 1:
        raise SweepFailed(f"profits are in {' and '.join(currencies)}: name one with --currency")
    equity = next((each for each in result.equity if currency in (None, each.currency)), None)
    markets = [each for each in result.markets if equity is not None and each.currency == equity.currency]
    changes = _Changes(() if equity is None else _curve(equity))
    return Figures(
        currency=None if equity is None else equity.currency,
        profit=Decimal(0) if equity is None else equity.profit,
        drawdown=Decimal(0) if equity is None else equity.deepest_drawdown,
        fees=sum((each.fees for each in markets), Decimal(0)),
        turnover=sum((each.turnover for each in markets), Decimal(0)),
        trades=sum(each.trades for each in markets),
        requests=sum(sum(each.requests.values()) for each in result.strategies),
        errors=sum(each.errors for each in result.strategies),
        sharpe=changes.by(changes.deviation),
        sortino=changes.by(changes.downside),
    )


class _Changes:
    """The changes of an equity from sample to sample."""

    def __init__(self, curve: Sequence[tuple[int, float]]) -> None:
        self._changes = [after - before for (_, before), (_, after) in pairwise(curve)]
        self._span_ms = curve[-1][0] - curve[0][0] if curve else 0

    @property
    def deviation(self) -> float:
        return pstdev(self._changes) if self._changes else 0.0

    @property
    def downside(self) -> float:
        return sqrt(fmean(min(change, 0.0) ** 2 for change in self._changes)) if self._changes else 0.0

    def by(self, divisor: float) -> float:
        """Return the mean change by a deviation, for a year."""
        if not self._changes or not self._span_ms:
            return 0.0
        a_year = _YEAR_MS * len(self._changes) / self._span_ms
        return round(_quotient(fmean(self._changes) * sqrt(a_year), divisor), 9)


def _curve(equity: EquityResult) -> list[tuple[int, float]]:
    return [(at_ms, float(value)) for at_ms, value in equity.curve]


def _quotient(value: float, divisor: float) -> float:
    if not value:
        return 0.0
    return max(-_HIGHEST, min(_HIGHEST, value / divisor if divisor else value * _HIGHEST))


OBJECTIVES: Final[Mapping[str, Callable[[Figures], float]]] = {
    "profit": lambda figures: float(figures.profit),
    "sharpe": lambda figures: figures.sharpe,
    "sortino": lambda figures: figures.sortino,
    "profit-to-drawdown": lambda figures: _quotient(float(figures.profit), float(figures.drawdown)),
    "profit-per-trade": lambda figures: float(figures.profit) / figures.trades if figures.trades else 0.0,
    "drawdown": lambda figures: -float(figures.drawdown),
}
"""What may be sought; more is better."""
