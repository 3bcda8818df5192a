"""A small campaign for each dialect, over one adapter each; `make storms` runs long ones over any."""

from pathlib import Path

import pytest
from tests.storms import report
from tests.storms.faults import Weather
from tests.storms.figures import Figures
from tests.storms.plan import Plan
from tests.storms.processes import campaign

FRAMES = 1_000
DENSE = Weather(frame_fault_s=0.3, socket_fault_s=60.0)


def ignore(_figures: Figures) -> None:
    """Print no progress: the test is short."""


@pytest.mark.system
@pytest.mark.parametrize(("dialect", "adapter"), [("binance", "native"), ("kucoin", "ccxt")])
async def test_nothing_is_silently_wrong(tmp_path: Path, dialect: str, adapter: str) -> None:
    """No wrong book is shown as live, no hole goes unnoticed, and the account is right soon after the faults."""
    markets = ("ETH/USDT", "KCS/USDT")
    plan = Plan(dialect, adapter, FRAMES, seed=7, weather=DENSE, markets=markets, events_per_second=600)
    async with campaign(plan, tmp_path) as running:
        figures = await running.run(ignore)
    assert figures.violations == [], report.summary(figures)
    assert figures.books.compared > FRAMES / 20
    assert sum(figures.faults.values()) > 10
