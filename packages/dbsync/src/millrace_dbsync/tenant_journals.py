"""The unit that stores the journals of one tenant.

This process reads the journals itself while little waits in them, and a reading process once much does. What is ready
is committed together while the next batch is read.
"""

from typing import Final, NoReturn

import structlog

from millrace_bus import Bus
from millrace_dbsync.committing.committer import Committer, Indivisible
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.local import LocalReader, local_reader
from millrace_dbsync.reader.pool import ReaderPool
from millrace_dbsync.reader.prepared import PreparedBatch, PreparedQueue, collect
from millrace_dbsync.reader.process import ReaderProcess
from millrace_dbsync.reading.intake import JournalNames
from millrace_dbsync.reading.lag import LagWatch
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

MUCH: Final = 20_000
"""Messages read without catching up: from here on a reading process is worth its cost."""

log = structlog.get_logger()


class TenantJournals:
    """Stores the journals of one tenant until cancelled."""

    def __init__(
        self,
        plan: TenantPlan,
        bus: Bus,
        names: JournalNames,
        database: SharedDatabase,
        readers: ReaderPool,
        health: UnitHealthReporter,
    ) -> None:
        self._plan, self._bus, self._all_names = plan, bus, names
        self._database, self._readers, self._health = database, readers, health
        self._unbroken = 0
        """Messages that waited, or were read, since reading last caught up with the journals."""

    async def run(self) -> None:
        """Resume from the positions in the database; read, store and watch the lag.

        Raises:
            StoreError: the database refuses the connection; stored messages stay stored.
            BusError: Redis does.
        """
        committer = Committer(self._database, self._health, await self._database.positions(self._health))
        async with self._bus.journals() as journals:
            watch = LagWatch(self._plan, journals, committer.positions, self._health)
            self._health.state("live")
            self._unbroken = await watch.look(await self._names())
            await run_all(self._store(committer), watch.run(self._names))

    async def _names(self) -> list[str]:
        return [name for name in await self._all_names.names() if self._plan.wants(name)]

    async def _store(self, committer: Committer) -> NoReturn:
        """Store what one reader reads until it ends, then continue with the reader that suits the remaining load."""
        while True:
            if (process := self._reading_process()) is not None:
                await self._store_from_process(process, committer)
            else:
                await self._store_from_here(committer)

    def _reading_process(self) -> ReaderProcess | None:
        """Return the spare process if much waits; if there is none yet, begin to start one."""
        if self._unbroken < MUCH:
            return None
        if (process := self._readers.take()) is None:
            self._readers.prepare()
        return process

    async def _store_from_process(self, process: ReaderProcess, committer: Committer) -> None:
        async with process.reading(self._bus.url, self._plan, committer.positions):
            try:
                await run_all(process.run(), self._commit(process.arrived, committer))
            except Indivisible as refused:
                log.warning(
                    "the database rejected a message; the main process reads on to find it", reason=str(refused)
                )
                self._unbroken = 0
                return
        self._readers.failed()

    async def _store_from_here(self, committer: Committer) -> None:
        async with local_reader(self._plan, self._bus, self._all_names, committer.positions) as reader:
            await run_all(reader.run(), self._commit(reader.arrived, committer, reader))

    async def _commit(self, arrived: PreparedQueue, committer: Committer, reader: LocalReader | None = None) -> None:
        """Commit what arrives until nothing more will; `reader` is ended once a process should take over."""
        while batches := await collect(arrived, self._plan):
            await committer.store(batches)
            for prepared in batches:
                prepared.release()
            if reader is not None:
                self._hand_over(reader, batches)

    def _hand_over(self, reader: LocalReader, stored: list[PreparedBatch]) -> None:
        """Once much waits, have a process started, and end this reader as soon as the process is ready."""
        for prepared in stored:
            # An empty batch does not end a rush: what was asked for had come, and nothing more just then.
            if prepared.summary.count:
                self._unbroken = self._unbroken + prepared.summary.count if prepared.summary.has_more else 0
        if self._unbroken >= MUCH:
            self._readers.prepare()
            if self._readers.has_spare:
                reader.end()
