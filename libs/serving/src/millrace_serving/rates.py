"""Rates: how many permits each key may use up in a time."""

import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

_FEW_BUCKETS: Final = 10_000


def network_of(address: str) -> str:
    """Return by what an address is counted: of IPv6 its first 64 bits, which one client has for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))


class RateLimiter:
    """Token buckets by key: each holds `burst` permits and regains `per_second`."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """By key, the remaining permits and when they were counted (s)."""
        self._many = _FEW_BUCKETS
        """Once there are so many buckets, full ones are dropped: so seldom that it costs little."""

    def set_limits(self, per_second: float, burst: int) -> None:
        """Apply other limits from the next request on."""
        self._per_second, self._burst = per_second, burst

    def wait_s(self, key: str) -> float:
        """Return the seconds until a permit is free; 0 if one is."""
        return max(0.0, (1 - self._left(key, self._clock())) / self._per_second)

    def take(self, key: str) -> float:
        """Take a permit and return 0; without a free one, return the seconds until the next."""
        now_s = self._clock()
        left = self._left(key, now_s)
        if left < 1:
            return (1 - left) / self._per_second
        self._keep(key, left - 1, now_s)
        return 0.0

    def spend(self, key: str, permits: int) -> None:
        """Use permits up, also those that are not there yet: of a minute at most."""
        now_s = self._clock()
        least = -60 * self._per_second
        self._keep(key, max(least, self._left(key, now_s) - permits), now_s)

    def _left(self, key: str, now_s: float) -> float:
        left, since_s = self._buckets.get(key, (float(self._burst), now_s))
        return min(self._burst, left + (now_s - since_s) * self._per_second)

    def _keep(self, key: str, left: float, now_s: float) -> None:
        if len(self._buckets) >= self._many:
            self._drop_full(now_s)
            self._many = max(_FEW_BUCKETS, 2 * len(self._buckets))
        self._buckets[key] = (left, now_s)

    def _drop_full(self, now_s: float) -> None:
        # A full bucket limits nothing, so it need not be kept.
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items() if self._left(key, now_s) < self._burst - 1e-9
        }
