from itertools import pairwise
from math import inf
from random import Random
from statistics import mean, pvariance

import pytest

from millrace_simulator.market.market import Arrivals


@pytest.mark.parametrize("rate", [0.5, 25.0, 400.0])
def test_arrivals_come_at_their_rate_and_in_clusters(rate: float) -> None:
    """On average the rate holds; gaps vary more than those of independent arrivals (whose ratio is 1)."""
    arrivals = Arrivals(Random(1), rate)
    times = [arrivals.next() for _ in range(20_000)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) / times[-1] == pytest.approx(rate, rel=0.1)
    assert min(gaps) >= 0
    if rate < 100:
        assert pvariance(gaps) / mean(gaps) ** 2 > 1.1


def test_no_rate_means_no_arrival() -> None:
    """At a rate of 0 the next arrival never comes."""
    assert Arrivals(Random(1), 0).next() == inf


def test_a_restart_goes_on_from_its_time() -> None:
    """After a restart no arrival lies before it."""
    arrivals = Arrivals(Random(1), 10.0)
    arrivals.next()
    arrivals.restart(100.0)
    assert arrivals.next() > 100.0
