"""Collects what an agent knows of its own health: its heartbeat, and the latencies of each unit."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, NamedTuple

from millrace_core.heartbeat import Heartbeat, UnitHealth, WorkerHealth
from millrace_core.latency import Histogram
from millrace_service.health import UnitReporter
from millrace_service.status import AgentStatus

SLICE_S: Final = 0.002
"""How long units are asked for their health before other work has its turn."""


class AgentHealth(NamedTuple):
    """What an agent knows of its health at a moment."""

    heartbeat: Heartbeat
    latencies: list[tuple[str, str, Histogram]]
    """Unit, hop, and the durations."""


class HealthCollector:
    """Asks an agent's status and its units' reporters."""

    def __init__(
        self,
        status: AgentStatus,
        reporters: Callable[[], Sequence[UnitReporter]],
        workers: Callable[[], list[WorkerHealth]],
    ) -> None:
        self.status = status
        self._reporters = reporters
        self._workers = workers

    async def collect(self) -> AgentHealth:
        """Return the health as it is now."""
        units: list[UnitHealth] = []
        latencies: list[tuple[str, str, Histogram]] = []
        began = monotonic()
        for reporter in self._reporters():
            health = reporter.report()
            units.append(health)
            latencies += [(health.name, hop, histogram) for hop, histogram in reporter.histograms.items()]
            if monotonic() - began > SLICE_S:
                # Hundreds of units take milliseconds together: messages go first. Not at each of them: on a busy event
                # loop every turn takes a while.
                await asyncio.sleep(0)
                began = monotonic()
        return AgentHealth(self.status.heartbeat(units, self._workers(), _by_hop(latencies)), latencies)


def _by_hop(latencies: Sequence[tuple[str, str, Histogram]]) -> dict[str, Histogram]:
    hops: dict[str, list[Histogram]] = {}
    for _, hop, histogram in latencies:
        hops.setdefault(hop, []).append(histogram)
    return {hop: Histogram().merge(each) for hop, each in hops.items()}
