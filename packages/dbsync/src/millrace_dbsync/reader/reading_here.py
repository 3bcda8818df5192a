"""Reading journals in this process, which also commits: what an ordinary day needs."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.preparing import Preparing
from millrace_dbsync.reader.ready import ROOM, Arrived
from millrace_dbsync.reading.intake import Intake
from millrace_dbsync.reading.known_journals import KnownJournals


class Here:
    """This process reads."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing
        self._room = asyncio.Semaphore(ROOM)
        self.arrived: Arrived = asyncio.Queue()

    def end(self) -> None:
        """Read no more; what was read already still comes."""
        self._preparing.end()

    async def read(self) -> None:
        """Do the reading."""
        try:
            async with aclosing(self._preparing.hauls()) as hauls:
                async for ready in hauls:
                    await self._room.acquire()
                    self.arrived.put_nowait(replace(ready, release=self._room.release))
        finally:
            self.arrived.put_nowait(None)


@asynccontextmanager
async def read_here(
    plan: TenantPlan, bus: Bus, known: KnownJournals, stored: Mapping[str, MessageId]
) -> AsyncGenerator[Here, None]:
    """Read behind what is stored, in this process.

    Raises:
        BusError: on leaving: Redis refused.
    """
    async with bus.journals() as journals:
        source = Here(Preparing(Intake(plan, journals, known.names, stored), plan.batch_interval_s))
        reading = asyncio.create_task(source.read())
        try:
            yield source
        finally:
            reading.cancel()
            await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()
