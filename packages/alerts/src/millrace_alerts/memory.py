"""What alerts remember over a restart: what was told, and what waits to be."""

import asyncio
from typing import Final

import msgspec
import structlog

from millrace_alerts.digest import Digest
from millrace_bus import Bus, BusError
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import AgentId

_SAVE_LIMIT_S: Final = 5.0

log = structlog.get_logger()


class AlertMessage(msgspec.Struct, frozen=True):
    """A message to one receiver."""

    title: str
    body: str
    at_ms: int
    rule: str = ""
    """The label of its rule."""


class CountersSeen(msgspec.Struct):
    """The totals of one process of an agent, by unit and counter, when they were last looked at."""

    started_at: int
    totals: dict[str, dict[str, float]] = {}


class Memory(msgspec.Struct):
    """Everything that is remembered."""

    digests: dict[str, Digest] = {}
    """By label of the rule."""
    outbox: dict[str, list[AlertMessage]] = {}
    """By receiver, oldest first."""
    agents: dict[str, int] = {}
    """Every agent that was seen: 0 while it is there, otherwise when it was last (ms)."""
    counters: dict[str, CountersSeen] = {}
    """By agent."""
    positions: dict[str, str] | None = None
    """The last id read of each journal of answers; None while no rule needs them."""


class SavedMemory:
    """Holds the memory of one agent, and keeps it in Redis."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._agent: AgentId | None = None
        self._loaded = asyncio.Event()
        self._saving = asyncio.Lock()
        self._kept = b""
        self._is_refused = False
        self.memory = Memory()
        """To be used once it is loaded."""

    async def load(self, agent: AgentId) -> None:
        """Read what an agent remembers, unless that has been done."""
        if self._loaded.is_set():
            return
        self._agent = agent
        kept = await self._bus.alert_memory.get(agent)
        if kept is not None:
            try:
                self.memory = msgspec.json.decode(kept, type=Memory)
            except UNREADABLE as error:
                log.error("what was remembered cannot be read; starting anew", cause=str(error))  # noqa: TRY400
        self._loaded.set()

    async def loaded(self) -> Memory:
        """Return the memory once it was read."""
        await self._loaded.wait()
        return self.memory

    async def save(self) -> None:
        """Keep what has changed; while Redis does not take it, only this process knows."""
        async with self._saving:
            now = msgspec.json.encode(self.memory)
            if now == self._kept or self._agent is None:
                return
            try:
                async with asyncio.timeout(_SAVE_LIMIT_S):
                    await self._bus.alert_memory.put(self._agent, now)
            except (BusError, TimeoutError) as error:
                if not self._is_refused:
                    log.warning("Redis does not keep what was told and what waits", cause=str(error) or "no answer")
                self._is_refused = True
            else:
                self._kept, self._is_refused = now, False
