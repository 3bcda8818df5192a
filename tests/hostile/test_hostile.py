"""A small fixed set of hostile inputs on both databases; `make hostile` runs many."""

from pathlib import Path

import pytest
from tests.hostile.__main__ import one
from tests.support.databases import Database

INPUTS = 300


@pytest.mark.parametrize("server_if_any", ["sqlite", "postgresql"], indirect=True)
async def test_hostile_inputs_cost_nobody_anything(database: Database, tmp_path: Path) -> None:
    """No unit fails, no good row is missing, and everything that is refused is a dead letter, told or counted."""
    found = await one(7, INPUTS, database, tmp_path / "redis")
    assert found.violations == []
    assert found.inputs == found.good - 1 == INPUTS
    assert found.dead_letters > INPUTS / 20
