"""Moments and intervals as people write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_api.times import parse_interval, parse_timestamp
from millrace_core.clock import LATEST_MS
from millrace_core.intervals import Interval


@given(st.integers(946_684_800_000, 9_999_999_999_999))
def test_both_forms_of_a_moment_mean_the_same(ms: int) -> None:
    """ISO-8601 and ms of one moment are one number."""
    iso = datetime.fromtimestamp(ms // 1_000, UTC).replace(microsecond=ms % 1_000 * 1_000).isoformat()
    assert parse_timestamp(iso) == parse_timestamp(str(ms)) == ms


@pytest.mark.parametrize(
    "text", ["20261127", "1764201600", "1", "202611271200", "20261127120000", "1764201600000000", "9" * 5_000]
)
def test_a_number_that_is_no_ms_of_this_age_is_a_mistake(text: str) -> None:
    """A date without its dashes, seconds or µs would be another moment in silence; 0 is the beginning."""
    with pytest.raises(ValueError, match="must be ms since 1970"):
        parse_timestamp(text)
    assert parse_timestamp("0") == 0


@given(st.text())
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    """Nothing else is ever raised."""
    try:
        assert 0 <= parse_timestamp(text) <= LATEST_MS
    except ValueError as error:
        assert "must" in str(error)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("90s", Interval(length_ms=90_000)),
        ("5m", Interval(length_ms=300_000)),
        ("1d", Interval(length_ms=86_400_000)),
        ("86400s", Interval(length_ms=86_400_000)),
        ("1w", Interval(length_ms=604_800_000)),
        ("250", Interval(length_ms=250)),
        ("1M", Interval(months=1)),
        ("12M", Interval(months=12)),
    ],
)
def test_intervals_have_units(text: str, interval: Interval) -> None:
    """A number alone is ms; `m` are minutes, `M` months."""
    assert parse_interval(text) == interval


@pytest.mark.parametrize("text", ["", "0", "5y", "-1m", "367d", "1.5h", "13M", "0M", "M"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    """Of another form, none at all, or longer than a year."""
    with pytest.raises(ValueError, match="must"):
        parse_interval(text)
