"""Rate limits: pools of request weight, full again 30 s after the first request that drew from them.

Source: www.kucoin.com/docs-new, "Rate Limit".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from millrace_simulator.kucoin import errors

WINDOW_MS = 30_000


class Pool(StrEnum):
    """What a request draws from: the public pool is an address's, the others an account's."""

    PUBLIC = "public"
    SPOT = "spot"
    MANAGEMENT = "management"


class _Usage(msgspec.Struct):
    until_ms: int = 0
    spent: int = 0


class RateLimits:
    """The pools and what has been drawn from them.

    With `enforced` False everything is counted and reported, but nothing is rejected.
    """

    def __init__(self, sizes: Mapping[Pool, int], now_ms: Callable[[], int], *, enforced: bool = True) -> None:
        self._sizes = sizes
        self._now_ms = now_ms
        self._enforced = enforced
        self._usage: dict[tuple[Pool, str], _Usage] = {}

    def charge(self, pool: Pool, user: str, weight: int) -> None:
        """Draw a request's weight from a user's pool.

        Raises:
            KucoinError: 429000 when the pool does not hold that much; nothing was drawn.
        """
        usage = self._current(pool, user)
        if usage.spent + weight > self._sizes[pool] and self._enforced:
            raise errors.too_many_requests()
        usage.spent += weight

    def headers(self, pool: Pool, user: str) -> Mapping[str, str]:
        """Return what a response says of a user's pool: its size, what is left, and the ms until it is full again."""
        usage, size = self._current(pool, user), self._sizes[pool]
        return {
            "gw-ratelimit-limit": str(size),
            "gw-ratelimit-remaining": str(max(0, size - usage.spent)),
            "gw-ratelimit-reset": str(usage.until_ms - self._now_ms()),
        }

    def _current(self, pool: Pool, user: str) -> _Usage:
        now_ms = self._now_ms()
        usage = self._usage.setdefault((pool, user), _Usage())
        if usage.until_ms <= now_ms:
            usage.until_ms, usage.spent = now_ms + WINDOW_MS, 0
        return usage
