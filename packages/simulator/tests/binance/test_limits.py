"""Rate limits: counted in Binance's windows, refused with its codes, and who goes on is banned."""

import pytest

from millrace_simulator.binance.errors import TooManyRequestsError
from millrace_simulator.binance.limits import BINANCE_LIMITS, IGNORED_BEFORE_BAN, RateLimit, RateLimits

MINUTE_MS = 60_000
RULES = (RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 100), RateLimit("ORDERS", "SECOND", 10, 3))


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_ms = 1000 * MINUTE_MS

    def __call__(self) -> int:
        """The time that was set, ms."""
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_weight_counts_by_address_and_minute(clock: Clock) -> None:
    """Each address has its own count, and a new minute begins with nothing used."""
    limits = RateLimits(RULES, clock)
    limits.charge_request("a", 70)
    limits.charge_request("b", 1)
    assert limits.request_headers("a") == {"X-MBX-USED-WEIGHT": "70", "X-MBX-USED-WEIGHT-1M": "70"}
    assert limits.request_usage("b")[0]["count"] == 1
    clock.now_ms += MINUTE_MS
    assert limits.request_headers("a")["X-MBX-USED-WEIGHT-1M"] == "0"


def test_over_the_weight_a_client_learns_how_long_to_wait(clock: Clock) -> None:
    """429 with the seconds until the window ends; after those the address may go on."""
    limits = RateLimits(RULES, clock)
    clock.now_ms += 48_500
    limits.charge_request("a", 100)
    with pytest.raises(TooManyRequestsError) as refusal:
        limits.charge_request("a", 1)
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_s) == (429, -1003, 12)
    clock.now_ms += 12_000
    limits.charge_request("a", 1)


def test_who_ignores_the_refusal_is_banned_and_longer_each_time(clock: Clock) -> None:
    """418 for two minutes, then for four; every request is refused, and other addresses are not affected."""
    limits = RateLimits(RULES, clock)
    for ban_s in (120, 240):
        for _ in range(IGNORED_BEFORE_BAN):
            with pytest.raises(TooManyRequestsError, match="Too much"):
                limits.charge_request("a", 101)
        for _ in range(2):
            with pytest.raises(TooManyRequestsError, match="IP banned until") as ban:
                limits.charge_request("a", 1)
            assert (ban.value.status, ban.value.retry_after_s) == (418, ban_s)
        limits.charge_request("b", 1)
        clock.now_ms += ban_s * 1000


def test_orders_count_by_account(clock: Clock) -> None:
    """Orders over the limit are refused with -1015, not counted, and say when the window ends."""
    limits = RateLimits(RULES, clock)
    limits.charge_orders("demo", 3)
    with pytest.raises(TooManyRequestsError, match="current limit is 3 orders per 10 SECOND") as refusal:
        limits.charge_orders("demo")
    assert (refusal.value.code, refusal.value.retry_after_s) == (-1015, 10)
    assert limits.order_headers("demo") == {"X-MBX-ORDER-COUNT-10S": "3"}
    limits.charge_orders("other")
    clock.now_ms += 10_000
    limits.charge_orders("demo")


def test_nobody_is_refused_when_limits_are_off(clock: Clock) -> None:
    """Counts go on and are reported, so that a load test sees what it would have used."""
    limits = RateLimits(RULES, clock, enforced=False)
    for _ in range(100):
        limits.charge_request("a", 50)
        limits.charge_orders("demo")
    assert limits.request_headers("a")["X-MBX-USED-WEIGHT"] == "5000"


def test_exchange_info_shows_what_is_enforced() -> None:
    """The rules in force are those that exchangeInfo lists, in its form."""
    assert BINANCE_LIMITS[0].shown() == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6000,
    }
