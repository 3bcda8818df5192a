"""What happens in a schedule: made by a seed, and by nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

from tests.support.exchanges import EXCHANGES

from millrace_core.names import Tenant
from millrace_simulator.faults import FaultKind, FaultRule
from millrace_simulator.faults.rule import PASSING

TENANT: Final = Tenant("StrankaXY")
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
    MUTE = "mute private lines"
    """The lines that bring an account's events answer pings, and bring nothing else."""
    HALT = "halted symbol"
    """The exchange takes no order on the symbol, and then does again."""
    DELIST = "delisted symbol"
    """The exchange does not list the symbol, and then does again: its open orders end, and no answer names it."""
    READ_ONLY = "read-only Redis"
    """It is made another's replica, and then is none any more."""
    PAUSE = "paused Redis"
    """It answers nobody."""
    CUT_OFF = "cut lines to Redis"
    """All clients lose their connections, several times."""
    NO_GROUP = "deleted consumer group"
    """The journal of requests is read from its beginning."""
    LOCKED = "locked database"
    """Another program keeps the database to itself."""
    REMOVE = "removed account"
    """No configuration has the account, and then all have it again."""
    ALTERNATE = "halts and resumptions"
    """A person halts and resumes everything again and again."""
    REVOKE = "revoked key"
    """The exchange refuses the key until a person resumes."""


AT_THE_MARKET: Final = (Part.MUTE, Part.HALT)
"""What fails at the exchange alone, often."""
SELDOM: Final = (Part.DELIST,)
"""The same, in a schedule of five: nothing can be traded meanwhile."""
BY_OTHERS: Final = (
    Part.READ_ONLY,
    Part.PAUSE,
    Part.CUT_OFF,
    Part.NO_GROUP,
    Part.LOCKED,
    Part.REMOVE,
    Part.ALTERNATE,
    Part.REVOKE,
)
"""What people and other programs do to the platform, in two schedules of five: most often while another part fails."""
INTERFERING: Final = (FaultKind.FILLED, FaultKind.HALTED, FaultKind.CORRUPT)
"""What happens to an order between request and answer, or to an answer that says so."""
OF_EVENTS: Final = (FaultKind.MISSING, FaultKind.LATE, FaultKind.DOUBLED, FaultKind.GARBLED, FaultKind.LOST)


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
    faults: tuple[FaultKind, ...]
    """What happens to them, one of these each time."""
    events_concerned: float
    """The share of the events of the account's streams to which something happens."""
    event_faults: tuple[FaultKind, ...]
    """What happens to those."""
    by_hand: float
    """The share of requests that a person types."""
    poison: float
    """The share of requests that cannot be carried out."""
    reused: float
    """The share of requests after which another one comes under the id of one that is in the journal."""
    hasty: float
    """The share of requests that are valid for about as long as they take."""
    events: tuple[Event, ...]
    with_gatherer: bool
    """Whether a gatherer runs beside the executor: hashes of orders, own trades and balances must be the exchange's."""
    adapter: str
    """By which orders are sent."""
    exchange: str
    """One of `EXCHANGES`."""

    def __str__(self) -> str:
        parts = ", ".join(f"{event.part} at {event.at_s:.1f} s" for event in self.events) or "no part fails"
        gatherer = "; a gatherer" if self.with_gatherer else ""
        faults = f"{100 * self.exchange_faults:.0f} % {_names(self.faults)}"
        events = f"{100 * self.events_concerned:.0f} % of events {_names(self.event_faults)}"
        return f"{self.exchange}, {self.adapter}; {faults}; {events}; {parts}{gatherer}"


def _names(kinds: tuple[FaultKind, ...]) -> str:
    return "of every kind" if len(kinds) > len(INTERFERING) else ", ".join(kinds)


def plan_of(seed: int, exchange: str | None = None) -> Plan:
    """Return the schedule of a seed; on an exchange in place of the one that the seed chooses, if one is named."""
    random = Random(seed)
    events = [_event(random, _PARTS) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    plan = Plan(
        seed=seed,
        requests_per_second=random.choice((2, 5, 15)),
        exchange_faults=random.choice((0.0, 0.1, 0.3, 0.6)),
        by_hand=random.choice((0.0, 0.3)),
        poison=random.choice((0.0, 0.2)),
        reused=0.0,
        hasty=0.0,
        events=(),
        with_gatherer=random.random() < 0.6,
        adapter=random.choice(("native", "ccxt")),
        exchange=random.choices(tuple(EXCHANGES), (2, 1, 1))[0],
        faults=random.choice((PASSING, PASSING, INTERFERING)),
        events_concerned=random.choice((0.0, 0.05, 0.3, 0.6)),
        event_faults=(random.choice(OF_EVENTS),),
    )
    events += [_event(random, AT_THE_MARKET) for _ in range(random.choice((0, 0, 1, 2)))]
    events += [_event(random, SELDOM)] if random.random() < 0.2 else []
    # Of a chance of its own: what else a seed stands for is the same with and without it.
    others = Random(f"{seed} others")
    events += _by_others(others, events)
    plan = replace(plan, events=tuple(sorted(events, key=lambda event: event.at_s)))
    plan = replace(plan, reused=others.choice((0.0, 0.0, 0.3)), hasty=others.choice((0.0, 0.0, 0.2)))
    return plan if exchange is None else replace(plan, exchange=exchange)


def _by_others(random: Random, events: Sequence[Event]) -> list[Event]:
    made = [_event(random, BY_OTHERS) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    times = [event.at_s for event in events]
    return [replace(each, at_s=random.choice([each.at_s, *times])) for each in made]


_PARTS: Final = tuple(part for part in Part if part not in AT_THE_MARKET + SELDOM + BY_OTHERS)


def _event(random: Random, parts: Sequence[Part]) -> Event:
    return Event(random.uniform(0.5, SECONDS - 1), random.choice(parts), random.uniform(0.2, 4.0))


def faults_of(plan: Plan) -> FaultRule:
    """Return what the exchange does wrong in a schedule."""
    events = FaultRule(kinds=plan.event_faults, rate=plan.events_concerned, seed=plan.seed)
    return FaultRule(kinds=plan.faults, rate=plan.exchange_faults, seed=plan.seed, events=events)
