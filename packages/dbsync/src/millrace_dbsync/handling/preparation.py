"""Collects what is committed together: reads journals, and makes rows while it reads on."""

import asyncio
from typing import NoReturn

from millrace_dbsync.handling.prepared import PreparedBatch
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.intake import Intake, JournalBatch


class Preparation:
    """Prepares one batch after the other; `ready` holds the one that is committed next."""

    def __init__(self, intake: Intake, plan: TenantPlan) -> None:
        self._intake, self._plan = intake, plan
        self.ready: asyncio.Queue[PreparedBatch] = asyncio.Queue(maxsize=1)

    async def run(self) -> NoReturn:
        """Prepare batches until cancelled.

        Raises:
            BusError: Redis refuses.
        """
        self._reading = asyncio.create_task(self._intake.next())
        try:
            while True:
                await self.ready.put(await self._collect())
        finally:
            self._reading.cancel()

    async def _collect(self) -> PreparedBatch:
        """Return what is committed together, once there is something.

        While the journals hold more, others are waited for: until there are enough messages, or the interval is over.
        Each commit has a fixed cost, so under load larger ones are cheaper.
        """
        batch = PreparedBatch()
        ends: float | None = None
        has_more = True
        while has_more and batch.count < self._plan.batch_messages:
            if not await self._has_read(ends):
                break
            source = self._reading.result()
            self._reading = asyncio.create_task(self._read_after(source))
            if not source.is_empty:
                ends = ends or _now() + self._plan.batch_interval_s
                await batch.add(source)
            has_more = source.has_more or not batch.sources
        batch.complete()
        return batch

    async def _has_read(self, ends: float | None) -> bool:
        """Wait until something was read, or the interval ends: Redis may be away, and what was read is stored."""
        left = None if ends is None else ends - _now()
        if left is not None and left <= 0:
            return False
        done, _ = await asyncio.wait([self._reading], timeout=left)
        return bool(done)

    async def _read_after(self, source: JournalBatch) -> JournalBatch:
        """Read on at once where more waits, or nothing came; else let the journals collect meanwhile."""
        if source.count and not source.has_more:
            await asyncio.sleep(self._plan.batch_interval_s)
        return await self._intake.next()


def _now() -> float:
    return asyncio.get_running_loop().time()
