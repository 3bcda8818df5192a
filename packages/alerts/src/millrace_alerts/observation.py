"""What is seen of the platform at a moment."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from millrace_alerts.answers import FailedAnswer
from millrace_alerts.increases import Increase
from millrace_bus import HaltNote, HaltScope
from millrace_core.clock import DAY_MS
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import Tenant

_HEALTHY: Final = frozenset({"live", "unverified", "standby"})

Losses = Mapping[tuple[Tenant, str], Decimal]
"""The loss of the day by tenant and currency; a profit is below zero."""
UnitKey = tuple[str, str]
"""Agent and unit."""


class Observation(NamedTuple):
    """Everything that rules are judged by."""

    now_ms: int
    beats: Sequence[Heartbeat] = ()
    missing: Mapping[str, int] = {}
    """Agents that were seen and are not there, and when they last were (ms)."""
    trouble_since: Mapping[UnitKey, int] = {}
    """Units that do not work, and since when (ms), whatever they have tried since."""
    increases: Sequence[Increase] = ()
    halts: Mapping[Tenant, Mapping[HaltScope, HaltNote]] = {}
    failed: Sequence[FailedAnswer] = ()
    losses: Losses = {}
    redis_gone_ms: int | None = None
    """Since when Redis has not answered, so that nothing else is known; None while it does."""


class Troubles:
    """Notes since when each unit has not worked. A unit that fails again and again is not well in between."""

    def __init__(self) -> None:
        self._since: dict[UnitKey, int] = {}

    def update(self, beats: Sequence[Heartbeat]) -> Mapping[UnitKey, int]:
        """Return the units that do not work now, by agent and unit."""
        units = {(beat.id, unit.name): unit for beat in beats for unit in beat.units if is_in_trouble(unit)}
        self._since = {key: min(unit.since, self._since.get(key, unit.since)) for key, unit in units.items()}
        return self._since


def is_in_trouble(unit: UnitHealth) -> bool:
    """Tell whether a unit should work and does not; one that exceeded a limit is stopped and says why."""
    return unit.state not in _HEALTHY and not (unit.state == "stopped" and not unit.detail)


class Presence:
    """Notes which agents were seen, and when those that are gone last were."""

    def __init__(self, agents: dict[str, int]) -> None:
        self._agents = agents
        self._sent: dict[str, int] = {}

    def update(self, beats: Sequence[Heartbeat], now_ms: int, redis_back_ms: int) -> Mapping[str, int]:
        """Return the agents that are gone. One that has been for a day is forgotten.

        While Redis was out of reach nobody could be seen: nobody was last seen before `redis_back_ms`.
        """
        for beat in beats:
            self._agents[beat.id], self._sent[beat.id] = 0, beat.sent_at
        present = {beat.id for beat in beats}
        for agent in self._agents.keys() - present:
            self._agents[agent] = self._agents[agent] or max(self._sent.get(agent, now_ms), redis_back_ms)
        for agent in [agent for agent, last in self._agents.items() if last and now_ms - last > DAY_MS]:
            del self._agents[agent]
        return {agent: last for agent, last in self._agents.items() if last}
