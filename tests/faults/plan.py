"""What happens in a schedule: made by a seed, and by nothing else."""

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

from tests.support.exchanges import EXCHANGES

SECONDS: Final = 8.0
"""How long requests are sent and parts fail."""


class Part(StrEnum):
    """What can be done to the processes."""

    KILL = "kill"
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT some seconds later."""
    TERMINATE = "terminate"
    ROLLING = "rolling restart"
    """A second executor starts, then the first is terminated."""
    SECOND = "second executor"
    """A second executor runs for a while."""
    RECONFIGURE = "configuration change"
    RESTART_REDIS = "Redis restart"
    KILL_REDIS = "Redis kill"
    OUT_OF_MEMORY = "Redis out of memory"
    FLUSH = "FLUSHALL"
    EMPTY_REDIS = "restart with an empty Redis"
    HALF_OPEN = "half-open line"
    """The line to the exchange accepts connections, and nothing passes it any more."""
    SKEW = "clock skew"


@dataclass(frozen=True)
class Event:
    """One part fails."""

    at_s: float
    part: Part
    for_s: float


@dataclass(frozen=True)
class Plan:
    """One schedule."""

    seed: int
    requests_per_second: float
    exchange_faults: float
    """The share of requests at the exchange to which something happens."""
    by_hand: float
    """The share of requests that a person types."""
    poison: float
    """The share of requests that cannot be carried out."""
    events: tuple[Event, ...]
    with_gatherer: bool
    """Whether a gatherer runs beside the executor, so that orders' hashes must become as the exchange has them."""
    adapter: str
    """By which orders are sent."""
    exchange: str
    """One of `EXCHANGES`."""

    def __str__(self) -> str:
        parts = ", ".join(f"{event.part} at {event.at_s:.1f} s" for event in self.events) or "no part fails"
        gatherer = "; a gatherer" if self.with_gatherer else ""
        return f"{self.exchange}, {self.adapter}; {100 * self.exchange_faults:.0f} % at the exchange; {parts}{gatherer}"


def plan_of(seed: int, exchange: str | None = None) -> Plan:
    """Return the schedule of a seed; on an exchange in place of the one that the seed chooses, if one is named."""
    random = Random(seed)
    events = [
        Event(random.uniform(0.5, SECONDS - 1), random.choice(list(Part)), random.uniform(0.2, 4.0))
        for _ in range(random.choice((0, 1, 1, 2, 3)))
    ]
    plan = Plan(
        seed=seed,
        requests_per_second=random.choice((2, 5, 15)),
        exchange_faults=random.choice((0.0, 0.1, 0.3, 0.6)),
        by_hand=random.choice((0.0, 0.3)),
        poison=random.choice((0.0, 0.2)),
        events=tuple(sorted(events, key=lambda event: event.at_s)),
        with_gatherer=random.random() < 0.3,
        adapter=random.choice(("native", "ccxt")),
        exchange=random.choices(tuple(EXCHANGES), (2, 1, 1))[0],
    )
    return plan if exchange is None else replace(plan, exchange=exchange)
