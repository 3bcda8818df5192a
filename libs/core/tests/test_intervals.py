from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.clock import DAY_MS, LATEST_MS, MINUTE_MS
from millrace_core.intervals import WEEK_MS, open_of


@given(st.integers(0, LATEST_MS), st.integers(1, 4))
def test_weeks_open_on_monday(at_ms: int, weeks: int) -> None:
    """At midnight UTC, however many weeks an interval has."""
    opened = open_of(at_ms, weeks * WEEK_MS)
    assert 0 <= at_ms - opened < weeks * WEEK_MS
    assert datetime.fromtimestamp(max(opened, 4 * DAY_MS) / 1_000, UTC).weekday() == 0
    assert opened % DAY_MS == 0


@given(st.integers(0, LATEST_MS), st.sampled_from([1, 1_000, MINUTE_MS, 7 * MINUTE_MS, DAY_MS, 3 * DAY_MS]))
def test_other_intervals_open_at_multiples_of_their_length(at_ms: int, interval_ms: int) -> None:
    """Since 1970."""
    assert open_of(at_ms, interval_ms) == at_ms // interval_ms * interval_ms
