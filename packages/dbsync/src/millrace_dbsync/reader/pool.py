"""Processes that read journals for this one: one is had ready for whichever tenant needs it."""

import asyncio
import os
from typing import Final

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_dbsync.reader.process import ReaderProcess

_RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=60.0)

log = structlog.get_logger()


class Readers:
    """Has a process ready for whichever tenant has so much that reading it here would keep storing from its work."""

    def __init__(self, retries: BackoffPolicy = _RETRIES) -> None:
        self._spare: ReaderProcess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._backoff = Backoff(retries)
        self._taken_at = self._not_before = float("-inf")
        self._is_of_use = (os.cpu_count() or 1) > 1

    @property
    def has_spare(self) -> bool:
        """Whether one waits for its order."""
        return self._spare is not None

    def prepare(self) -> None:
        """Begin to start one, unless there is one, or the last one failed just now."""
        is_underway = self._starting is not None and not self._starting.done()
        if self._is_of_use and not self.has_spare and not is_underway and _now() >= self._not_before:
            self._starting = asyncio.create_task(self._start(), name="start of a reading process")

    async def prepared(self) -> None:
        """Wait until what was begun is done."""
        if self._starting is not None:
            await asyncio.wait([self._starting])

    def take(self) -> ReaderProcess | None:
        """Return the one that waits; None when there is none."""
        spare, self._spare = self._spare, None
        if spare is not None:
            self._taken_at = _now()
        return spare

    def failed(self) -> None:
        """Note that one ended by itself: the next is begun after a while."""
        if _now() - self._taken_at > self._backoff.policy.healthy_after_s:
            self._backoff.recovered()
        self._not_before = _now() + self._backoff.failed()

    async def close(self) -> None:
        """End the one that waits."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if (spare := self.take()) is not None:
            await spare.end()

    async def _start(self) -> None:
        try:
            reader = await ReaderProcess.start()
        except OSError as error:
            log.warning("no process to read the journals could be started", reason=str(error))
            self.failed()
            return
        try:
            is_there = await reader.greeted()
        except asyncio.CancelledError:
            await reader.end()
            raise
        if is_there:
            self._spare = reader
        else:
            log.warning("a process to read the journals ended as it started")
            await reader.end()
            self.failed()


def _now() -> float:
    return asyncio.get_running_loop().time()
