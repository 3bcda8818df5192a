"""The unit that stores the journals of one tenant: they are read here, or in a process of their own when that is much.

What has become ready is committed together while the next is read: on a quiet day that is one haul, under load a batch.
"""

import asyncio
from contextlib import suppress
from typing import Final, NoReturn

import structlog

from millrace_bus import Bus
from millrace_dbsync.concurrently import first_failure
from millrace_dbsync.database import Database
from millrace_dbsync.known_journals import KnownJournals
from millrace_dbsync.lag_watch import LagWatch
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader_process import ReaderProcess
from millrace_dbsync.readers import Readers
from millrace_dbsync.reading_here import Here, read_here
from millrace_dbsync.ready import Arrived, Ready
from millrace_dbsync.storing import Indivisible, Storing
from millrace_service import UnitHealthReporter

ENOUGH: Final = 5_000
"""Messages that are worth a commit of their own: beside what it costs for each it costs as much as a thousand."""
MUCH: Final = 20_000
"""Messages without catching up once: from there on reading deserves a process of its own."""

log = structlog.get_logger()


class TenantJournals:
    """Stores what one tenant's journals hold, and goes on with what comes, until cancelled."""

    def __init__(
        self,
        plan: TenantPlan,
        bus: Bus,
        known: KnownJournals,
        database: Database,
        readers: Readers,
        health: UnitHealthReporter,
    ) -> None:
        self._plan, self._bus, self._known = plan, bus, known
        self._database, self._readers, self._health = database, readers, health
        self._unbroken = 0
        """Messages that wait, or were read, since reading last caught up with the journals."""

    async def run(self) -> None:
        """Resume from the positions in the database; read, store and watch the lag.

        Raises:
            StoreError, BusError: the database or Redis refuses; what is stored is stored.
        """
        store = await self._database.opened()
        storing = Storing(self._database, self._health, await store.operations.positions())
        async with self._bus.journals() as looking:
            watch = LagWatch(self._plan, looking, storing.positions, self._health)
            self._health.state("live")
            self._unbroken = await watch.look(await self._names())
            await first_failure(self._store(storing), watch.run(self._names))

    async def _names(self) -> list[str]:
        return [name for name in await self._known.names() if self._plan.wants(name)]

    async def _store(self, storing: Storing) -> NoReturn:
        """Store what is read in one way as long as that serves, then in the other."""
        while True:
            if (reader := self._reader()) is not None:
                await self._store_from(reader, storing)
            else:
                await self._store_from_here(storing)

    def _reader(self) -> ReaderProcess | None:
        """Give a process to read where there is much; when none is ready yet, have one started."""
        if self._unbroken < MUCH:
            return None
        if (reader := self._readers.take()) is None:
            self._readers.prepare()
        return reader

    async def _store_from(self, reader: ReaderProcess, storing: Storing) -> None:
        async with reader.read(self._bus.url, self._plan, storing.positions) as source:
            while together := await self._together(source.arrived):
                try:
                    await storing.store(together)
                except Indivisible as refused:
                    log.warning("the database refuses something; what that is will be found here", reason=str(refused))
                    self._unbroken = 0
                    return
                _release(together)
        self._readers.failed()

    async def _store_from_here(self, storing: Storing) -> None:
        async with read_here(self._plan, self._bus, self._known, storing.positions) as source:
            while together := await self._together(source.arrived):
                await storing.store(together)
                _release(together)
                self._relieve(source, together)

    def _relieve(self, source: Here, stored: list[Ready]) -> None:
        """Once there is much, have another process read, and end reading here as soon as it can."""
        for ready in stored:
            self._unbroken = self._unbroken + ready.told.count if ready.told.has_more else 0
        if self._unbroken >= MUCH:
            self._readers.prepare()
            if self._readers.has_spare:
                source.end()

    async def _together(self, arrived: Arrived) -> list[Ready]:
        """Wait for a haul, and add those that are ready too, up to a batch; nothing when there are no more.

        While more waits in the journals, others are waited for until they are worth a commit or the interval is over.
        """
        ready: list[Ready] = []
        count = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                while (haul := await arrived.get()) is not None:
                    if not ready:
                        patience.reschedule(asyncio.get_running_loop().time() + self._plan.batch_interval_s)
                    ready.append(haul)
                    count += haul.told.count
                    is_worth_it = count >= ENOUGH or not haul.told.has_more
                    if count >= self._plan.batch_messages or (is_worth_it and arrived.empty()):
                        return ready
                if ready:
                    arrived.put_nowait(None)
        return ready


def _release(hauls: list[Ready]) -> None:
    for haul in hauls:
        haul.release()
