"""Rows column by column: pure."""

import pytest

from millrace_store.backends.columns import Columns

ROWS = [(1, "a"), (2, "b"), (3, "c")]


def test_rows_come_out_as_they_went_in() -> None:
    """One by one, many together, and only some."""
    columns = Columns.empty(2)
    columns.append(ROWS[0])
    columns.extend(([2, 3], iter("bc")))
    assert list(columns) == ROWS
    assert columns == Columns.of(ROWS)
    assert len(columns) == 3
    assert list(columns.where([True, False, True])) == [ROWS[0], ROWS[2]]


def test_what_was_given_to_be_added_is_not_changed_later() -> None:
    """Values are copied: whoever gave them may still use them."""
    given, columns = [[1], ["a"]], Columns.empty(2)
    columns.extend(given)
    columns.append(ROWS[1])
    assert given == [[1], ["a"]]


def test_a_row_of_another_width_is_a_mistake() -> None:
    """It is not taken for a shorter one."""
    with pytest.raises(ValueError, match="shorter"):
        Columns.empty(2).append((1,))
