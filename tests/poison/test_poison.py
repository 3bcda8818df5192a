"""A small campaign; `make poison` runs long ones."""

from pathlib import Path

from tests.poison.campaign import campaign


async def test_good_requests_between_poisonous_ones_are_answered_as_if_alone(tmp_path: Path) -> None:
    """Each has one order and one answer, and every entry is acknowledged."""
    async with campaign(tmp_path, seed=3) as running:
        figures = await running.run(50, 400, per_second=200)
    assert figures.violations == [], figures.summary()
    assert figures.poison == 400
