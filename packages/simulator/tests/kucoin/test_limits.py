"""Pools of request weight."""

import pytest

from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.kucoin.limits import WINDOW_MS, Pool, RateLimits

SIZES = {Pool.PUBLIC: 10, Pool.SPOT: 20, Pool.MANAGEMENT: 5}


class Time:
    """A clock that the test moves."""

    now_ms = 1_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ms


def test_a_pool_is_full_again_half_a_minute_after_its_first_request() -> None:
    """What does not fit any more is refused and draws nothing; the headers say when to come back."""
    time = Time()
    limits = RateLimits(SIZES, time)
    limits.charge(Pool.PUBLIC, "a", 7)
    time.now_ms += 10_000
    with pytest.raises(KucoinError) as refusal:
        limits.charge(Pool.PUBLIC, "a", 4)
    assert (refusal.value.code, refusal.value.status) == ("429000", 429)
    assert limits.headers(Pool.PUBLIC, "a") == {
        "gw-ratelimit-limit": "10",
        "gw-ratelimit-remaining": "3",
        "gw-ratelimit-reset": str(WINDOW_MS - 10_000),
    }
    limits.charge(Pool.PUBLIC, "a", 3)
    time.now_ms += WINDOW_MS - 10_000
    limits.charge(Pool.PUBLIC, "a", 10)


def test_users_and_pools_do_not_share() -> None:
    """Each has its own."""
    limits = RateLimits(SIZES, Time())
    limits.charge(Pool.PUBLIC, "a", 10)
    limits.charge(Pool.PUBLIC, "b", 10)
    limits.charge(Pool.SPOT, "a", 20)


def test_limits_that_are_not_enforced_are_counted() -> None:
    """Nothing is refused, and no more than everything is used up."""
    limits = RateLimits(SIZES, Time(), enforced=False)
    limits.charge(Pool.MANAGEMENT, "a", 6)
    assert limits.headers(Pool.MANAGEMENT, "a")["gw-ratelimit-remaining"] == "0"
