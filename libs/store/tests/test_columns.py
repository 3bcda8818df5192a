"""Rows column by column: pure."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_store.backends.columns import Columns, csv_lines

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


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=6)
awkward = st.sampled_from(['"', "\\", "[", "]", "],[", "\n", "null", "", "7"])
values = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), texts, awkward)


@given(st.lists(st.tuples(st.integers(), values, values), min_size=1, max_size=5))
def test_lines_are_read_as_their_rows(rows: list[tuple[Any, ...]]) -> None:
    """Whatever the texts are; exactly what is no text stands without quotes."""
    lines = csv_lines(Columns.of(rows)).decode()
    read = list(csv.reader(io.StringIO(lines, newline=""), strict=True))
    assert read == [["null" if value is None else str(value) for value in row] for row in rows]
    quotes = sum(2 + 2 * value.count('"') for row in rows for value in row if isinstance(value, str))
    assert lines.count('"') == quotes
