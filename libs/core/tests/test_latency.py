import math

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.latency import Histogram


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=200), st.sampled_from([1, 50, 90, 99, 100]))
def test_a_percentile_is_near_the_true_one(durations: list[int], percent: int) -> None:
    """The error is half a bucket at most: 2.2 %."""
    histogram = Histogram()
    for ns in durations:
        histogram.record(ns)
    true = sorted(durations)[max(1, math.ceil(len(durations) * percent / 100)) - 1]
    assert math.isclose(histogram.percentile(percent), true, rel_tol=0.023)


def test_an_empty_histogram_has_no_percentile() -> None:
    """Without measurements there is no percentile."""
    assert math.isnan(Histogram().percentile(50))


def test_merged_histograms_count_together() -> None:
    """Several workers' figures become one."""
    first, second = Histogram(), Histogram()
    first.record(10)
    second.record(1_000)
    merged = first.merge([second])
    assert (merged.count, first.count) == (2, 1)
    assert merged.percentile(100) > 900


def test_a_histogram_survives_being_stored() -> None:
    """The buckets alone make the same histogram again."""
    histogram = Histogram()
    for ns in (5, 1_000, 1_000_000):
        histogram.record(ns)
    again = Histogram.of_buckets(histogram.buckets)
    assert again.count == 3
    assert again.percentile(50) == histogram.percentile(50)


@given(st.lists(st.integers(-(2**40), 2**63), max_size=50))
def test_many_durations_at_once_count_as_each_alone(durations: list[int]) -> None:
    """Recording all together makes the histogram that recording one after the other makes."""
    one_by_one, together = Histogram(), Histogram()
    for ns in durations:
        one_by_one.record(ns)
    together.record_all(durations)
    assert together.buckets == one_by_one.buckets
    assert together.count == one_by_one.count
