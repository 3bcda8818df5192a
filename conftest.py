"""What holds for all tests of the workspace."""

import gc
from collections.abc import Generator

import pytest
from hypothesis import find
from hypothesis import strategies as st


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import all tests without searching for garbage, and exclude what was imported from every later search."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of the whole platform one after another: each occupies several processes."""
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group("system"))


@pytest.fixture(autouse=True, scope="session")
def _unicode_table() -> None:
    """Have Hypothesis build its table of Unicode: in a new checkout the first test to draw text would be too slow."""
    find(st.text(), lambda _: True)
