"""Heartbeats as they are: what changes has to show long before the next one is due."""

import pytest


@pytest.fixture(autouse=True)
def frequent_heartbeats() -> None:
    """Leave the interval as it is."""
