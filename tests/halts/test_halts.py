"""A small campaign; `make halts` runs long ones."""

from pathlib import Path

from tests.halts.campaign import campaign
from tests.support.promptness import prompt


async def test_a_halt_ends_new_orders_and_cancels_all_open_ones(tmp_path: Path) -> None:
    """No order is accepted long after it, and each of 100 open orders is canceled."""
    async with campaign(tmp_path, seed=2) as running:
        figures = await running.run(halts=1, open_orders=100)
    assert figures.canceled == [100]
    assert max(figures.late_ms) <= prompt(0.1) * 1000, figures.summary()
