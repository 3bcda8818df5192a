"""What holds for all tests of the workspace."""

import pytest
from hypothesis import find
from hypothesis import strategies as st


@pytest.fixture(autouse=True, scope="session")
def _unicode_table() -> None:
    """Have Hypothesis build its table of Unicode: in a new checkout the first test to draw text would be too slow."""
    find(st.text(), lambda _: True)
