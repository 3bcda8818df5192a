"""How long requests take: what the texts mean, and that drawn and recorded latencies repeat."""

from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_backtest.exchange.latency import LatencyUnreadable, RecordedTimes, Times, latency_of

MS = 1_000_000
S = 1_000 * MS


def test_a_fixed_latency() -> None:
    """The same each way."""
    assert latency_of("5", 1, dict).request("T", "S", 100) == Times(100 + 5 * MS, 100 + 10 * MS)
    assert latency_of("0", 1, dict).report(7) == 7


def test_a_drawn_latency_has_its_median_and_its_99th_percentile() -> None:
    """By a seed, which repeats it."""
    first, second, other = (latency_of("5:40", seed, dict) for seed in (1, 1, 2))
    drawn = [first.report(0) for _ in range(20_000)]
    assert drawn == [second.report(0) for _ in range(20_000)]
    assert drawn[:10] != [other.report(0) for _ in range(10)]
    assert median(drawn) == pytest.approx(5 * MS, rel=0.05)
    assert quantiles(drawn, n=100)[98] == pytest.approx(40 * MS, rel=0.15)


@given(late_ms=st.integers(-900, 900))
def test_a_request_of_the_recorded_moment_is_answered_at_the_recorded_one(late_ms: int) -> None:
    """Whatever the difference of the clocks; one without an answer, or beyond the recorded, takes the median."""
    times = [
        RecordedTimes(10 * S, 10 * S + 2 * MS, 10 * S + 5 * MS),
        None,
        RecordedTimes(20 * S, 20 * S + 1, 20 * S + 2),
    ]
    latency = latency_of("recorded", 1, lambda: {("T", "S"): times})
    now = 10 * S + late_ms * MS
    found = latency.request("T", "S", now)
    assert found.arrives_ns == max(now, 10 * S + 2 * MS)
    assert found.answered_ns == max(found.arrives_ns, 10 * S + 5 * MS)
    assert latency.request("T", "S", 0) == Times(2 * MS, 5 * MS)
    # Decided 5 s later than when it was recorded, it is answered 5 s later too.
    assert latency.request("T", "S", 25 * S) == Times(25 * S + 1, 25 * S + 2)
    assert latency.request("T", "Other", 0) == Times(2 * MS, 5 * MS)


@pytest.mark.parametrize("text", ["", "x", "-1", "5:4", "0:5", "nan", "5:", "inf", "1e9"])
def test_what_is_no_latency(text: str) -> None:
    """It is an error that says what would be one."""
    with pytest.raises(LatencyUnreadable, match="is no latency"):
        latency_of(text, 1, dict)
