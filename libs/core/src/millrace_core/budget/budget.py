"""What is asked of a budget, in the process or in Redis. Both forms pass the contract tests beside them.

A limit allows a weight within a window. Because exchanges begin their windows at times of their own, a request is
counted until it can no longer be in any window of that length, whenever that window began.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

DEFAULT_EGRESS: Final = "default"
"""Egress of processes whose settings name none."""


class Charge(NamedTuple):
    """What one request takes of one limit."""

    key: str
    """Key of the limit in Redis: see `millrace_core.names.budget_key`."""
    window_ms: int
    weight: int
    """0 if the request is subject to the limit's pauses only."""
    cap: int
    """How far the request may fill the window. What is above the cap is left for more urgent requests."""
    contended_cap: int
    """How far it may fill the window once its tenant has had its fair share of the cap: the rest is for the others."""

    @property
    def is_open(self) -> bool:
        """Tell whether it takes nothing."""
        return self.weight == 0

    def fits(self, used: int, mine: int, tenants: int) -> bool:
        """Tell whether the request may go.

        `used` is what everybody has used, `mine` what the tenant has used for requests as urgent as this one, and
        `tenants` how many did so. A request heavier than its cap goes once nothing else is counted.
        """
        filled = used + self.weight
        is_fair = mine + self.weight <= self.cap / tenants or filled <= self.contended_cap
        return self.is_open or (filled <= self.cap and is_fair) or (used == 0 < self.cap)


class Verdict(NamedTuple):
    """Whether a request may be sent now."""

    wait_ms: int = 0
    """0 if it may; otherwise when to ask again."""
    is_stopped: bool = False
    """Whether the exchange asked for the pause, so that there is nothing to wait for before it is over."""

    @property
    def is_granted(self) -> bool:
        """Tell whether the request may be sent."""
        return self.wait_ms == 0


class Budget(Protocol):
    """Counts requests. A request is counted when it is granted, whatever becomes of it."""

    @property
    def used(self) -> Mapping[str, int]:
        """What was used of each limit, by key, as last known."""

    async def take(self, charges: Sequence[Charge], tenant: str, *, urgent: bool = False) -> Verdict:
        """Count a request against all of its limits, or against none if it does not fit into each.

        An `urgent` one, an order or a cancel, does not wait for an answer of Redis while plenty is left. Tenants share
        a limit fairly, urgent requests apart from others: a tenant's history does not count against its orders.
        """

    def stop(self, key: str, ms: int) -> None:
        """Grant nothing that is charged to a limit for a time; a longer pause that is known already stays."""

    def stopped_ms(self, keys: Sequence[str]) -> int:
        """Return how much of the longest pause of some limits is left."""

    def observe(self, key: str, window_ms: int, used: int) -> None:
        """Take over how much of a limit the exchange itself has counted, if it is more than is known here."""


@dataclass(frozen=True, slots=True)
class RequestBudget:
    """A tenant's access to a budget, through one address."""

    budget: Budget
    egress: str = DEFAULT_EGRESS
    """Label of the address from which requests leave; processes with the same one share its limits."""
    tenant: str = ""


@dataclass(slots=True)
class Pauses:
    """The pauses that exchanges asked for, by limit, on a clock that the caller reads."""

    _until_ms: dict[str, float] = field(default_factory=dict)

    def add(self, key: str, now_ms: float, ms: int) -> None:
        """Note a pause; a longer one stays."""
        self._until_ms[key] = max(self._until_ms.get(key, 0), now_ms + ms)

    def left_ms(self, keys: Sequence[str], now_ms: float) -> int:
        """Return how much of the longest is left, in whole ms, rounded up."""
        left = max((self._until_ms.get(key, 0) for key in keys), default=0) - now_ms
        return max(0, -int(-left // 1))

    def remaining(self, now_ms: float) -> dict[str, int]:
        """Return every pause that is not over, by limit, and how much of it is left."""
        return {key: left for key in self._until_ms if (left := self.left_ms([key], now_ms))}
