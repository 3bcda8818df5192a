"""A small campaign for each dialect, over one adapter each; `make storms` runs long ones over any."""

import asyncio
from pathlib import Path

import pytest
from tests.storms import report
from tests.storms.faults import Weather
from tests.storms.figures import Figures
from tests.storms.plan import Plan
from tests.storms.processes import campaign

FRAMES = 1_000
DENSE = Weather(frame_fault_s=0.3, socket_fault_s=60.0)


async def found(dialect: str, adapter: str, folder: Path) -> Figures:
    """Return what a campaign found."""
    folder.mkdir()
    markets = ("ETH/USDT", "KCS/USDT")
    plan = Plan(dialect, adapter, FRAMES, seed=7, weather=DENSE, markets=markets, events_per_second=600)
    async with campaign(plan, folder) as running:
        return await running.run(lambda _figures: None)


@pytest.mark.system
async def test_nothing_is_silently_wrong(tmp_path: Path) -> None:
    """No wrong book is shown as live, no hole goes unnoticed, and the account is right soon after the faults."""
    campaigns = (("binance", "native"), ("kucoin", "ccxt"))
    for figures in await asyncio.gather(*(found(*each, tmp_path / each[0]) for each in campaigns)):
        assert figures.violations == [], report.summary(figures)
        assert figures.books.compared > FRAMES / 50
        assert sum(figures.faults.values()) > 10
