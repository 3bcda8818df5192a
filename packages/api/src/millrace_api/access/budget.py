"""What one tenant may ask for at a time: no tenant's questions keep another's waiting.

A tenant's questions are answered in turn, so many at once. Those beyond what may wait, and all else that is over its
budget, are refused with what was too much and when to come back.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Final, Literal

from millrace_api.configs.models import TenantLimits
from millrace_api.problems import ApiError
from millrace_core.names import PUBLIC, Tenant
from millrace_serving.rates import RateLimiter
from millrace_store.backends.reading import rows_read

Kind = Literal["questions", "exports", "event streams", "WebSockets"]
AT_ONCE: Final = 2
"""Questions of one tenant that are answered at once; the database has connections for several tenants."""
EXPORTS_IN_ALL: Final = 4
_SETTINGS: Final[dict[Kind, str]] = {
    "questions": "questions",
    "exports": "exports",
    "event streams": "event_streams",
    "WebSockets": "web_sockets",
}
_RETRY_S: Final[dict[Kind, int]] = {"questions": 1, "exports": 10, "event streams": 5, "WebSockets": 5}
asking: Final[ContextVar[Tenant]] = ContextVar("asking", default=PUBLIC)
"""Whose the question is that is being answered; a person's at a terminal is the operator's."""


class Budget:
    """What each tenant has under way."""

    def __init__(self, limits: TenantLimits) -> None:
        self._limits = limits
        self._rows = RateLimiter(limits.rows_per_minute / 60, limits.rows_per_minute)
        self._requests = RateLimiter(limits.requests_per_second, limits.burst)
        self._commands = RateLimiter(limits.commands_per_second, limits.commands_per_second)
        self._held: defaultdict[Tenant, Counter[Kind]] = defaultdict(Counter)
        self._turns: dict[Tenant, asyncio.Semaphore] = {}

    def set_limits(self, limits: TenantLimits) -> None:
        """Apply other limits; what is under way stays."""
        self._limits = limits
        self._rows.set_limits(limits.rows_per_minute / 60, limits.rows_per_minute)
        self._requests.set_limits(limits.requests_per_second, limits.burst)
        self._commands.set_limits(limits.commands_per_second, limits.commands_per_second)

    @property
    def subscriptions(self) -> int:
        """Return how many streams a tenant may follow at a time, over all of its WebSockets."""
        return self._limits.subscriptions

    def request(self, tenant: Tenant) -> float:
        """Count a request; return 0, or the seconds until the tenant may send another."""
        return self._requests.take(tenant)

    def command(self, tenant: Tenant) -> float:
        """Reserve a command over a WebSocket; return the seconds until it may be carried out."""
        wait_s = self._commands.wait_s(tenant)
        self._commands.spend(tenant, 1)
        return wait_s

    def take(self, tenant: Tenant, kind: Kind) -> None:
        """Note that something begins which lasts."""
        self._held[tenant][kind] += 1

    def check(self, tenant: Tenant, kind: Kind) -> None:
        """Check that a tenant may begin something.

        Raises:
            ApiError: it has too much of it under way.
        """
        most, held = getattr(self._limits, _SETTINGS[kind]), self._held[tenant]
        if held[kind] >= most:
            raise _too_much(f"your tenant has {most:,} {kind} open: close one first, or wait for it", _RETRY_S[kind])
        if kind == "exports" and sum(each[kind] for each in self._held.values()) >= EXPORTS_IN_ALL:
            raise _too_much("too many exports of all tenants are under way: try again later", _RETRY_S[kind])

    def give_back(self, tenant: Tenant, kind: Kind) -> None:
        """End it."""
        held = self._held[tenant]
        held[kind] -= 1
        if not held.total():
            del self._held[tenant]
            self._turns.pop(tenant, None)

    @asynccontextmanager
    async def spending(self, tenant: Tenant, kind: Kind) -> AsyncIterator[None]:
        """Hold something for a block; a question waits for its tenant's turn first.

        Raises:
            ApiError: the tenant is over its budget.
        """
        if kind in ("questions", "exports"):
            self._check_rows(tenant)
        self.check(tenant, kind)
        self.take(tenant, kind)
        asker, counter = asking.set(tenant), rows_read.set(partial(self.spend_rows, tenant))
        try:
            if kind == "questions":
                async with self._turns.setdefault(tenant, asyncio.Semaphore(AT_ONCE)):
                    yield
            else:
                yield
        finally:
            asking.reset(asker)
            rows_read.reset(counter)
            self.give_back(tenant, kind)

    def _check_rows(self, tenant: Tenant) -> None:
        """Check that a tenant may read more rows.

        Raises:
            ApiError: it has read too many.
        """
        if wait_s := self._rows.wait_s(tenant):
            most = self._limits.rows_per_minute
            what = f"your tenant has read more than {most:,} rows in a minute, or sent as many bytes of configurations"
            raise _too_much(what, round(wait_s + 0.5))

    def spend_rows(self, tenant: Tenant, rows: int) -> None:
        """Count rows that were read for a tenant; what is too much delays its next question."""
        self._rows.spend(tenant, rows)


def _too_much(what: str, retry_s: int) -> ApiError:
    return ApiError(429, f"{what}; try again in {retry_s} s", headers={"Retry-After": str(max(1, retry_s))})
