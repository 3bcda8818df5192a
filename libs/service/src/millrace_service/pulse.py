"""The pulse: sends the heartbeat every 5 s, and at once when something changes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from millrace_bus import Bus, BusError, Unreachable
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat, UnitHealth
from millrace_core.latency import Histogram
from millrace_service.health import UnitHealthReporter
from millrace_service.status import AgentStatus

DEBOUNCE_S: Final = 0.1
"""Changes come in flocks, as when all units start: one heartbeat tells them all."""
PATIENCE_S: Final = 2.0
"""A heartbeat that takes longer means that Redis is out of reach; then a newer one is sent instead."""

log = structlog.get_logger()


class Pulse:
    """Sends what the status and the units' reporters say, for as long as `run` runs."""

    def __init__(
        self, bus: Bus, status: AgentStatus, reporters: Callable[[], Sequence[UnitHealthReporter]], due: asyncio.Event
    ) -> None:
        self._bus = bus
        self._status = status
        self._reporters = reporters
        self._due = due
        """Set by whoever changed something."""
        self._reachable = True

    async def run(self) -> None:
        """Send until cancelled, through any outage; it is said once that one began, and once that it is over."""
        while True:
            self._due.clear()
            await self._send(await self._heartbeat())
            try:
                async with asyncio.timeout(HEARTBEAT_INTERVAL_S):
                    await self._due.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(DEBOUNCE_S)

    async def _heartbeat(self) -> Heartbeat:
        units: list[UnitHealth] = []
        by_hop: dict[str, list[Histogram]] = {}
        for reporter in self._reporters():
            units.append(reporter.report())
            for hop, histogram in reporter.histograms.items():
                by_hop.setdefault(hop, []).append(histogram)
            # Hundreds of units take milliseconds together: messages go first.
            await asyncio.sleep(0)
        return self._status.heartbeat(units, {hop: Histogram().merge(each) for hop, each in by_hop.items()})

    async def _send(self, heartbeat: Heartbeat) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._bus.heartbeat(heartbeat)
        except (BusError, TimeoutError) as error:
            await self._missed(error)
        else:
            self._came_through()

    async def _missed(self, error: Exception) -> None:
        if not self._reachable:
            return
        self._reachable = False
        reason = str(error) or await self._reason()
        log.warning("Redis is out of reach; going on, and trying again for as long as it takes", reason=reason)

    async def _reason(self) -> str:
        try:
            await self._bus.ready(DEBOUNCE_S)
        except Unreachable as error:
            return str(error)
        return "it answers slowly"

    def _came_through(self) -> None:
        if not self._reachable:
            self._reachable = True
            log.info("Redis answers again")
