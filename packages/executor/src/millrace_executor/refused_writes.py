"""Retries what Redis refuses to write, so that a request waits for Redis instead of ending its unit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from millrace_bus import CommandRefused
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_service import UnitHealthReporter

PAUSES: Final = BackoffPolicy(first_s=0.2, limit_s=1.0)

T = TypeVar("T")
log = structlog.get_logger()


class RefusedWrites:
    """Waits while Redis is out of memory, read only or the like; the unit is `stale` meanwhile, with the reason."""

    def __init__(self, health: UnitHealthReporter) -> None:
        self._health = health
        self._waiting = 0
        self._made_stale = False

    async def until_taken(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write, retrying until Redis takes it; return its reply.

        Raises:
            CommandRefused: Redis refuses this command, and would take others.
        """
        pauses = Backoff(PAUSES)
        try:
            while True:
                try:
                    return await write()
                except CommandRefused as refused:
                    if not (refused.refuses_every_write or refused.is_permanent):
                        raise
                    if not pauses.failures:
                        self._begin(refused)
                    await asyncio.sleep(pauses.failed())
        finally:
            if pauses.failures:
                self._end()

    def _begin(self, refused: CommandRefused) -> None:
        self._waiting += 1
        self._health.error(refused)
        if self._waiting == 1:
            log.error("Redis refuses to write; requests wait for it", cause=str(refused))
        if self._health.current_state == "live":
            self._made_stale = True
            self._health.state("stale", f"requests wait: Redis refuses to write: {refused}")

    def _end(self) -> None:
        self._waiting -= 1
        if self._waiting or not self._made_stale:
            return
        self._made_stale = False
        if self._health.current_state == "stale":
            self._health.state("live")
