"""The unit that stores the journals of one tenant: they are read here, or in a process of their own when that is much.

What has become ready is committed together while the next is read: on a quiet day that is one haul, under load a batch.
"""

from typing import Final, NoReturn

import structlog

from millrace_bus import Bus
from millrace_dbsync.committing.committer import Indivisible, Storing
from millrace_dbsync.committing.database import Database
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.collecting import together
from millrace_dbsync.reader.pool import Readers
from millrace_dbsync.reader.process import ReaderProcess
from millrace_dbsync.reader.reading_here import Here, read_here
from millrace_dbsync.reader.ready import Ready
from millrace_dbsync.reading.known_journals import KnownJournals
from millrace_dbsync.reading.lag_watch import LagWatch
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

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
            await run_all(self._store(storing), watch.run(self._names))

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
        """Return a process to read where there is much; when none is ready yet, have one started."""
        if self._unbroken < MUCH:
            return None
        if (reader := self._readers.take()) is None:
            self._readers.prepare()
        return reader

    async def _store_from(self, reader: ReaderProcess, storing: Storing) -> None:
        async with reader.read(self._bus.url, self._plan, storing.positions) as source:
            while hauls := await together(source.arrived, self._plan):
                try:
                    await storing.store(hauls)
                except Indivisible as refused:
                    log.warning("the database refuses something; what that is will be found here", reason=str(refused))
                    self._unbroken = 0
                    return
                _release(hauls)
        self._readers.failed()

    async def _store_from_here(self, storing: Storing) -> None:
        async with read_here(self._plan, self._bus, self._known, storing.positions) as source:
            while hauls := await together(source.arrived, self._plan):
                await storing.store(hauls)
                _release(hauls)
                self._relieve(source, hauls)

    def _relieve(self, source: Here, stored: list[Ready]) -> None:
        """Once there is much, have another process read, and end reading here as soon as it can."""
        for ready in stored:
            # An empty one ends no rush: what was asked for was there, and nothing more just then.
            if ready.told.count:
                self._unbroken = self._unbroken + ready.told.count if ready.told.has_more else 0
        if self._unbroken >= MUCH:
            self._readers.prepare()
            if self._readers.has_spare:
                source.end()


def _release(hauls: list[Ready]) -> None:
    for haul in hauls:
        haul.release()
