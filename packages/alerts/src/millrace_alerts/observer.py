"""Looks at the platform: heartbeats, halts and answers in Redis."""

import asyncio
from typing import Final

from millrace_alerts.answers import FailedAnswers
from millrace_alerts.increases import increases
from millrace_alerts.memory import Memory
from millrace_alerts.observation import Losses, Observation, Presence, Troubles
from millrace_bus import Bus, BusError, HaltNote, HaltScope, Journals
from millrace_core.clock import now_ms
from millrace_core.names import Tenant

_LOOK_LIMIT_S: Final = 3.0
"""A look that takes longer means that Redis is out of reach."""


class Observer:
    """Looks again at each call. `wants_answers`, `wants_halts`: whether a rule needs them."""

    def __init__(self, bus: Bus, journals: Journals, memory: Memory, *, wants_answers: bool, wants_halts: bool) -> None:
        self._bus = bus
        self._memory = memory
        self._wants_halts = wants_halts
        if not wants_answers:
            memory.positions = None
        self._answers = FailedAnswers(journals, memory) if wants_answers else None
        self._troubles = Troubles()
        self._presence = Presence(memory.agents)
        self._redis_gone_ms: int | None = None
        self._redis_back_ms = 0

    async def look(self, losses: Losses) -> Observation:
        """Return what is seen now; of a Redis that does not answer, that."""
        try:
            async with asyncio.timeout(_LOOK_LIMIT_S):
                seen = await self._look(losses)
        except (BusError, TimeoutError):
            if self._redis_gone_ms is None:
                self._redis_gone_ms = now_ms() - int(_LOOK_LIMIT_S * 1000)
            return Observation(now_ms(), redis_gone_ms=self._redis_gone_ms)
        self._redis_gone_ms = None
        return seen

    async def _look(self, losses: Losses) -> Observation:
        beats = await self._bus.heartbeats()
        halts = await self._halts() if self._wants_halts else {}
        failed = await self._answers.new() if self._answers is not None else []
        now = now_ms()
        if self._redis_gone_ms is not None:
            self._redis_back_ms = now
        is_first = not self._memory.counters
        return Observation(
            now_ms=now,
            beats=beats,
            missing=self._presence.update(beats, now, self._redis_back_ms),
            trouble_since=self._troubles.update(beats),
            increases=increases(beats, self._memory.counters, is_first=is_first),
            halts=halts,
            failed=failed,
            losses=losses,
        )

    async def _halts(self) -> dict[Tenant, dict[HaltScope, HaltNote]]:
        return {tenant: await self._bus.halts.get(tenant) for tenant in await self._bus.tenants()}
