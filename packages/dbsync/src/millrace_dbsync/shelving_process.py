"""Large hauls are decoded in a process of their own: meanwhile this one reads the next and commits the last.

A haul goes there as bytes and comes back as a batch. Nothing is kept there, so nothing is lost with it: whatever
happens to that process, the haul is still here and is decoded here.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

import structlog

from millrace_bus import JournalPage
from millrace_dbsync.shelved import Shelved
from millrace_dbsync.shelving_wire import packed_pages, shelved_of
from millrace_dbsync.worker import Worker, WorkerEnded
from millrace_service.backoff import Backoff, BackoffPolicy
from millrace_store import Batch

WORTHWHILE: Final = 1_000
"""Messages from which on a haul is worth the way to another process and back."""
_RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=60.0)

log = structlog.get_logger()


class ShelvingProcess:
    """Decodes hauls, in the order in which it is asked, in a process that is started with the first large one."""

    def __init__(self, retries: BackoffPolicy = _RETRIES) -> None:
        self._worker: Worker | None = None
        self._starting = asyncio.Lock()
        self._backoff = Backoff(retries)
        self._not_before = float("-inf")
        self._is_of_use = (os.cpu_count() or 1) > 1

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return None if self._worker is None else self._worker.pid

    async def shelve(self, pages: Mapping[str, JournalPage]) -> tuple[Batch, Shelved] | None:
        """Decode pages; None when that must be done here: there are few, or the process failed."""
        if not self._is_of_use or sum(map(len, pages.values())) < WORTHWHILE:
            return None
        if self._worker is None and asyncio.get_running_loop().time() < self._not_before:
            return None
        worker = await self._started()
        try:
            answer = await worker.ask(packed_pages(pages), shelved_of)
        except WorkerEnded:
            await self._failed(worker)
            return None
        self._backoff.recovered()
        return answer

    async def start(self) -> None:
        """Have the process ready now, instead of with the first large haul."""
        worker = await self._started()
        await worker.ask(packed_pages({}), shelved_of)

    async def close(self) -> None:
        """End the process."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    async def _started(self) -> Worker:
        async with self._starting:
            if self._worker is None:
                self._worker = await Worker.start()
            return self._worker

    async def _failed(self, worker: Worker) -> None:
        if self._worker is worker:
            self._worker = None
            self._not_before = asyncio.get_running_loop().time() + self._backoff.failed()
            log.warning("the process that decodes large batches ended; they are decoded here meanwhile")
            await worker.end()
