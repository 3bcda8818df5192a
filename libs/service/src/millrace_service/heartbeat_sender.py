"""Sends the agent's heartbeat every 5 s, and at once when something changes."""

import asyncio
from typing import Final

import structlog

from millrace_bus import Bus, BusError, Unreachable
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat
from millrace_service.agent_health import HealthCollector
from millrace_service.errors import describe

DEBOUNCE_S: Final = 0.1
"""Changes come in bursts, as when all units start: one heartbeat reports them all."""
SEND_LIMIT_S: Final = 2.0
"""A heartbeat that takes longer means that Redis is out of reach; a newer one is then sent instead."""
REMOVE_LIMIT_S: Final = 0.5
"""How long removing the heartbeat may take at the agent's end; otherwise it expires by itself."""

log = structlog.get_logger()


class HeartbeatSender:
    """Sends what the agent knows of its health, for as long as `run` runs."""

    def __init__(self, bus: Bus, health: HealthCollector, due: asyncio.Event) -> None:
        self._bus = bus
        self._health = health
        self._due = due
        """Set by anything that changed and should show soon."""
        self._gets_through = True

    async def run(self) -> None:
        """Send until cancelled, through any outage; then remove the heartbeat.

        The log says once that an outage began, and once that it ended.
        """
        try:
            while True:
                self._due.clear()
                await self._send((await self._health.collect()).heartbeat)
                await self._next_is_due()
        except asyncio.CancelledError:
            await self._remove()
            raise

    async def _next_is_due(self) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_INTERVAL_S):
                await self._due.wait()
        except TimeoutError:
            return
        await asyncio.sleep(DEBOUNCE_S)

    async def _send(self, heartbeat: Heartbeat) -> None:
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await self._bus.heartbeat(heartbeat)
        except (BusError, TimeoutError) as error:
            await self._failed(error)
        else:
            self._succeeded()

    async def _failed(self, error: Exception) -> None:
        if not self._gets_through:
            return
        self._gets_through = False
        reason = str(error) or await self._reason()
        log.warning("Redis does not accept heartbeats; still working, retrying", reason=reason)

    async def _reason(self) -> str:
        try:
            await self._bus.ready(DEBOUNCE_S)
        except Unreachable as error:
            return str(error)
        return "Redis answers too slowly"

    def _succeeded(self) -> None:
        if not self._gets_through:
            self._gets_through = True
            log.info("Redis accepts heartbeats again")

    async def _remove(self) -> None:
        try:
            async with asyncio.timeout(REMOVE_LIMIT_S):
                await self._bus.end_heartbeat(self._health.status.agent_id, self._health.status.started_at)
        except (BusError, TimeoutError) as error:
            log.debug("the heartbeat was not removed; it expires by itself", reason=describe(error))
