"""CSV is read as the rows that it was made of, whichever way it was made: pure."""

import csv
import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace_store.backends.columns import Columns
from millrace_store.backends.csv_lines import csv_lines

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
