"""Where intervals open, by Python's own calendar."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.clock import DAY_MS, LATEST_MS, MINUTE_MS
from millrace_core.intervals import WEEK_MS, Interval

_HOUR_MS = 60 * MINUTE_MS
_intervals = st.one_of(
    st.builds(Interval, length_ms=st.integers(1, 400 * DAY_MS)),
    st.builds(Interval, length_ms=st.integers(1, 60).map(lambda weeks: weeks * WEEK_MS)),
    st.builds(Interval, months=st.integers(1, 36)),
)


def ms_of(year: int, month: int, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000


def months_later(year: int, months: int) -> int:
    return ms_of(year + months // 12, months % 12 + 1)


@pytest.mark.parametrize("months", range(1, 13))
def test_months_open_by_the_calendar(months: int) -> None:
    """On the first of every such month from 1970 to 2200, counted from January 1970, and at no other moment."""
    interval = Interval.parse(f"{months}M")
    opens = [months_later(1970, number) for number in range(0, 230 * 12, months)]
    for number, (opened, following) in enumerate(pairwise(opens)):
        assert interval.open_of(opened) == interval.open_of(following - 1) == opened
        assert interval.next_open(opened) == following
        assert interval.number_of(opened) == interval.number_of(following - 1) == number
        assert interval.longest_ms >= following - opened


@given(st.integers(0, ms_of(2200, 12, 31)), st.integers(1, 12))
def test_any_moment_lies_in_the_month_of_its_date(at_ms: int, months: int) -> None:
    """Whatever the time of day, leap days included."""
    at = datetime.fromtimestamp(at_ms // 1_000, UTC)
    since_1970 = (at.year - 1970) * 12 + at.month - 1
    assert Interval(months=months).open_of(at_ms) == months_later(1970, since_1970 - since_1970 % months)


@given(_intervals, st.integers(-LATEST_MS, 2 * LATEST_MS))
def test_every_moment_lies_in_exactly_one_interval(interval: Interval, at_ms: int) -> None:
    """It ends where the next one opens; far from this age too, so that no message can break it."""
    opened = interval.open_of(at_ms)
    following = interval.next_open(opened)
    assert opened <= at_ms < following <= opened + interval.longest_ms
    assert interval.open_of(opened) == interval.open_of(following - 1) == opened
    assert interval.open_of(following) == following
    assert interval.number_of(following) == interval.number_of(at_ms) + 1
    assert interval.first_open_from(at_ms) == (opened if at_ms == opened else following)


@given(_intervals, st.integers(0, LATEST_MS), st.integers(0, LATEST_MS))
def test_intervals_are_in_the_order_of_their_moments(interval: Interval, one_ms: int, other_ms: int) -> None:
    """A later moment never lies in an earlier interval."""
    first, last = sorted((one_ms, other_ms))
    assert interval.open_of(first) <= interval.open_of(last)
    assert interval.number_of(first) <= interval.number_of(last)


@given(st.integers(0, LATEST_MS), st.integers(1, 4))
def test_weeks_open_on_monday(at_ms: int, weeks: int) -> None:
    """At midnight UTC, however many weeks an interval has; several are counted from the first Monday of 1970."""
    opened = Interval(length_ms=weeks * WEEK_MS).open_of(at_ms)
    assert (opened - ms_of(1970, 1, 5)) % (weeks * WEEK_MS) == 0
    assert datetime.fromtimestamp(max(opened, 4 * DAY_MS) / 1_000, UTC).weekday() == 0


@given(st.integers(0, LATEST_MS), st.sampled_from([1, 1_000, MINUTE_MS, 7 * MINUTE_MS, DAY_MS, 3 * DAY_MS]))
def test_other_intervals_open_at_multiples_of_their_length(at_ms: int, length_ms: int) -> None:
    """Since 1970."""
    assert Interval(length_ms=length_ms).open_of(at_ms) == at_ms // length_ms * length_ms


@given(st.integers(0, 230 * 12), st.integers(1, 12), st.integers(-11, 12))
def test_months_of_another_time_zone_end_at_its_midnight(number: int, months: int, ahead: int) -> None:
    """So an exchange's own candles end, such as those that OKX streams by the time of Hong Kong."""
    opened, following = (months_later(1970, months * each) - ahead * _HOUR_MS for each in (number, number + 1))
    assert Interval(months=months).next_open(opened) == following


def test_which_intervals_are_whole_minutes_and_hours() -> None:
    """Months always are."""
    month, ninety = Interval.parse("1M"), Interval.parse("90m")
    assert (month.is_whole(MINUTE_MS), month.is_whole(_HOUR_MS)) == (True, True)
    assert (ninety.is_whole(MINUTE_MS), ninety.is_whole(_HOUR_MS)) == (True, False)


@pytest.mark.parametrize(
    ("timeframe", "interval"),
    [
        ("90s", Interval(length_ms=90_000)),
        ("1m", Interval(length_ms=MINUTE_MS)),
        ("4h", Interval(length_ms=4 * _HOUR_MS)),
        ("3d", Interval(length_ms=3 * DAY_MS)),
        ("1w", Interval(length_ms=WEEK_MS)),
        ("3M", Interval(months=3)),
    ],
)
def test_timeframes_have_ccxts_notation(timeframe: str, interval: Interval) -> None:
    """A minute is `m`, a month `M`."""
    assert Interval.parse(timeframe) == interval


@pytest.mark.parametrize("text", ["", "m", "1", "0m", "-1m", "1.5h", "1y", "1 m", "1000m", "¹m", "9" * 5_000 + "m"])
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    """Of another form, none at all, or absurdly long."""
    with pytest.raises(ValueError, match="no timeframe"):
        Interval.parse(text)


@pytest.mark.parametrize("wrong", [{}, {"length_ms": -1}, {"months": -1}, {"length_ms": 1, "months": 1}])
def test_an_interval_is_longer_than_0(wrong: dict[str, int]) -> None:
    """And of one kind."""
    with pytest.raises(ValueError, match="longer than 0"):
        Interval(**wrong)
