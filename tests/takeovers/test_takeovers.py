"""A small campaign; `make takeovers` runs long ones."""

from pathlib import Path

import pytest
from tests.takeovers.campaign import KINDS, campaign

LONGEST_S = 5.0


@pytest.mark.system
@pytest.mark.timeout(180)
async def test_another_executor_takes_over_and_settles_what_was_left(tmp_path: Path) -> None:
    """Killed, frozen, ended, replaced: no order is doubled, no answer is false, missing or given twice."""
    async with campaign(tmp_path, seed=7) as running:
        figures = await running.run(len(KINDS), lambda _text: None)
    assert figures.violations == [], figures.summary()
    assert max(figures.all_seconds) < LONGEST_S, figures.summary()
