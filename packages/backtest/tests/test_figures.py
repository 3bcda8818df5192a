"""What a backtest comes to, against arithmetic by hand."""

from decimal import Decimal
from math import sqrt

import pytest

from millrace_backtest.errors import SweepFailed
from millrace_backtest.result import BacktestResult, DataResult, EquityResult
from millrace_backtest.sweep.figures import OBJECTIVES, figures_of


def result(**curves: list[int]) -> BacktestResult:
    """Return a result with an equity of one sample a second in each currency."""
    equity = [
        EquityResult(
            currency=currency,
            profit=Decimal(curve[-1]),
            deepest_drawdown=Decimal(2),
            peak_ns=0,
            trough_ns=0,
            curve=[(second * 1_000, Decimal(value)) for second, value in enumerate(curve)],
        )
        for currency, curve in curves.items()
    ]
    data = DataResult(recordings=[], began_ns=0, ended_ns=0, messages=0, is_whole=True, gaps=0, missing=0)
    return BacktestResult(strategies=[], markets=[], equity=equity, settings={}, data=data)


def test_ratios() -> None:
    """Changes of 3, -1, 1 and 1 a second: their mean is 1, their deviation the root of 2, that of falls a half."""
    figures = figures_of(result(USDT=[0, 3, 2, 3, 4]), None)
    seconds_a_year = 365 * 86_400
    assert figures.sharpe == pytest.approx(sqrt(seconds_a_year / 2))
    assert figures.sortino == pytest.approx(2 * sqrt(seconds_a_year))
    assert OBJECTIVES["profit-to-drawdown"](figures) == 2.0
    assert OBJECTIVES["profit-per-trade"](figures) == 0.0
    assert OBJECTIVES["drawdown"](figures) == -2.0


def test_without_trades_and_with_several_currencies() -> None:
    """Nothing is worth nothing. Money in two currencies is not added up."""
    nothing = figures_of(result(), None)
    assert {name: rate(nothing) for name, rate in OBJECTIVES.items()} == dict.fromkeys(OBJECTIVES, 0.0)
    both = result(USDT=[0, 1], BTC=[0, 5])
    assert figures_of(both, "BTC").profit == 5
    with pytest.raises(SweepFailed, match="USDT and BTC"):
        figures_of(both, None)
