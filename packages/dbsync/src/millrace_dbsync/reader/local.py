"""Reads journals in this process, and prepares each batch while the next one is read."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_dbsync.handling.handler import HandlingResult
from millrace_dbsync.handling.handlers import Handlers
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.prepared import ROOM, PreparedBatch, PreparedQueue
from millrace_dbsync.reading.intake import Intake, JournalBatch, JournalNames
from millrace_store import Batch


class BatchPreparation:
    """Reads journals from where the intake stands, and prepares one batch after the other."""

    def __init__(self, intake: Intake, interval_s: float) -> None:
        self._intake, self._interval_s = intake, interval_s
        self._handlers = Handlers()
        self._is_ending = False

    def end(self) -> None:
        """Read no more; what was read already is still prepared."""
        self._is_ending = True

    async def batches(self) -> AsyncGenerator[PreparedBatch, None]:
        """Return the prepared batches in order until `end` is called; close the generator when leaving earlier.

        A batch is empty only if the one before it announced more, and there was none.
        """
        reading = asyncio.create_task(self._read(0.0))
        try:
            while not self._is_ending:
                source = await reading
                # The journals collect meanwhile; where more waits than was read, there is no time to lose.
                reading = asyncio.create_task(self._read_on() if source.has_more else self._read(self._interval_s))
                yield await prepare(self._handlers, source)
            if (source := await reading).count:
                yield await prepare(self._handlers, source)
        finally:
            reading.cancel()

    async def _read_on(self) -> JournalBatch:
        """Return what is available at once; an empty batch if there is nothing, or reading ends."""
        return JournalBatch() if self._is_ending else await self._intake.next()

    async def _read(self, pause_s: float) -> JournalBatch:
        """Wait for a batch that is not empty; return an empty one when reading ends."""
        await asyncio.sleep(pause_s)
        while not (source := await self._read_on()).count and not self._is_ending:
            pass
        return source


async def prepare(handlers: Handlers, source: JournalBatch) -> PreparedBatch:
    """Return the rows of pages, yielding to other tasks on the way: so the next batch is asked for at once."""
    rows, result = Batch(), HandlingResult()
    await asyncio.sleep(0)
    for _ in handlers.handle(rows, source.pages, result):
        await asyncio.sleep(0)
    return PreparedBatch.of(source, rows, result)


class LocalReader:
    """Reads in this process, which also commits: enough for ordinary rates."""

    def __init__(self, preparation: BatchPreparation) -> None:
        self._preparation = preparation
        self._room = asyncio.Semaphore(ROOM)
        self.arrived: PreparedQueue = asyncio.Queue()

    def end(self) -> None:
        """Read no more; what was read already still arrives."""
        self._preparation.end()

    async def run(self) -> None:
        """Read until `end` is called.

        Raises:
            BusError: Redis refused.
        """
        try:
            async with aclosing(self._preparation.batches()) as batches:
                async for prepared in batches:
                    await self._room.acquire()
                    self.arrived.put_nowait(replace(prepared, release=self._room.release))
        finally:
            self.arrived.put_nowait(None)


@asynccontextmanager
async def local_reader(
    plan: TenantPlan, bus: Bus, names: JournalNames, stored: Mapping[str, MessageId]
) -> AsyncGenerator[LocalReader, None]:
    """Open a reader in this process that begins after what is stored; `run` does the reading."""
    async with bus.journals() as journals:
        yield LocalReader(BatchPreparation(Intake(plan, journals, names.names, stored), plan.batch_interval_s))
