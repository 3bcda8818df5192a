"""The reading processes of one dbsync: a spare one is started before it is needed."""

import asyncio
import os
from typing import Final

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_dbsync.reader.process import ReaderProcess

_RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=60.0)

log = structlog.get_logger()


class ReaderPool:
    """Keeps a spare process for a tenant whose journals hold so much that reading would slow down committing."""

    def __init__(self, retries: BackoffPolicy = _RETRIES) -> None:
        self._spare: ReaderProcess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._backoff = Backoff(retries)
        self._taken_at = self._not_before = float("-inf")
        self._is_of_use = (os.cpu_count() or 1) > 1

    @property
    def has_spare(self) -> bool:
        """Whether a process waits for its job."""
        return self._spare is not None

    def prepare(self) -> None:
        """Begin to start a process, unless there is a spare one, or the last one failed just now.

        An error that ended the start before, other than those it expects, is raised here.
        """
        if self._starting is not None and self._starting.done():
            started, self._starting = self._starting, None
            started.result()
        if self._is_of_use and not self.has_spare and self._starting is None and _now() >= self._not_before:
            self._starting = asyncio.create_task(self._start(), name="start of a reading process")

    async def prepared(self) -> None:
        """Wait until a start that was begun is over."""
        if self._starting is not None:
            await asyncio.wait([self._starting])

    def take(self) -> ReaderProcess | None:
        """Return the spare process, or None."""
        spare, self._spare = self._spare, None
        if spare is not None:
            self._taken_at = _now()
        return spare

    def failed(self) -> None:
        """Note that a process ended by itself: the next one starts after a pause."""
        if _now() - self._taken_at > self._backoff.policy.healthy_after_s:
            self._backoff.recovered()
        self._not_before = _now() + self._backoff.failed()

    async def close(self) -> None:
        """End the spare process."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if (spare := self.take()) is not None:
            await spare.end()

    async def _start(self) -> None:
        try:
            reader = await ReaderProcess.start()
        except OSError as error:
            log.warning("cannot start a reading process; reading in the main process", reason=str(error))
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
            log.warning("a reading process ended at its start; reading in the main process")
            await reader.end()
            self.failed()


def _now() -> float:
    return asyncio.get_running_loop().time()
