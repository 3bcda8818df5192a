"""Rate limits."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_api.access.rates import RateLimiter


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.1, 10), st.integers(1, 10))
def test_no_more_pass_than_the_burst_and_what_was_regained(pauses: list[float], rate: float, burst: int) -> None:
    """In any order of pauses: passed ≤ burst + rate · time."""
    now_s, passed = 0.0, 0
    rates = RateLimiter(rate, burst, clock=lambda: now_s)
    for pause in pauses:
        now_s += pause
        passed += rates.take("a") == 0
        assert passed <= burst + rate * now_s + 1e-6


def test_a_request_after_the_returned_wait_passes() -> None:
    """The time that is given is enough, and keys have nothing to do with each other."""
    now_s = 0.0
    rates = RateLimiter(2.0, 1, clock=lambda: now_s)
    assert rates.take("a") == 0
    now_s += rates.take("a")
    assert rates.take("b") == 0
    assert rates.take("a") == 0
