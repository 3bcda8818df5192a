"""Rate limits."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_serving.rates import RateLimiter, network_of


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


def test_an_address_is_counted_by_the_network_that_one_client_has() -> None:
    """Of IPv6 one client has 64 bits."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("-") == "-"


def test_however_many_keys_there_are_a_request_costs_little() -> None:
    """Keys that have used permits up are looked through seldom; those that have regained all are forgotten."""
    now_s, searches = 0.0, 0
    rates = RateLimiter(1.0, 1, clock=lambda: now_s)
    drop = rates._drop_full

    def counted(at_s: float) -> None:
        nonlocal searches
        searches += 1
        drop(at_s)

    rates._drop_full = counted  # type: ignore[method-assign]
    for number in range(50_000):
        assert rates.take(f"{number}") == 0
    assert searches <= 4
    now_s += 2.0
    for number in range(50_000, 90_000):
        assert rates.take(f"{number}") == 0
    assert "0" not in rates._buckets
