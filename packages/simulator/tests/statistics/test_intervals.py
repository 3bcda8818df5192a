from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.statistics import Interval


@given(st.sampled_from(Interval), st.integers(0, 4_000_000_000_000))
def test_intervals_cover_time_without_a_gap(interval: Interval, time_ms: int) -> None:
    """Every time lies in exactly one interval, which begins where the one before ended."""
    open_ms = interval.open_of(time_ms)
    end_ms = interval.next_open(open_ms)
    assert open_ms <= time_ms < end_ms
    assert interval.open_of(end_ms - 1) == open_ms
    assert interval.open_of(end_ms) == end_ms


@pytest.mark.parametrize(
    ("interval", "begins"),
    [
        (Interval.W1, datetime(2025, 6, 9, tzinfo=UTC)),
        (Interval.MO1, datetime(2025, 6, 1, tzinfo=UTC)),
        (Interval.H4, datetime(2025, 6, 15, 12, tzinfo=UTC)),
    ],
)
def test_calendar_intervals_begin_where_the_calendar_says(interval: Interval, begins: datetime) -> None:
    """Weeks begin on Monday and months on the first, at midnight UTC."""
    sunday = datetime(2025, 6, 15, 15, 6, tzinfo=UTC)
    assert interval.open_of(int(sunday.timestamp() * 1000)) == begins.timestamp() * 1000
