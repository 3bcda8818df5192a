"""The unit that stores the journals of one tenant: one haul is committed while the next is made ready, a third read."""

import asyncio
from contextlib import AsyncExitStack
from typing import NoReturn

from millrace_bus import Bus
from millrace_dbsync.concurrently import first_failure
from millrace_dbsync.database import Database
from millrace_dbsync.intake import Haul, Intake
from millrace_dbsync.known_journals import KnownJournals
from millrace_dbsync.lag_watch import LagWatch
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.shelving_process import ShelvingProcess
from millrace_dbsync.storing import Ready, Storing
from millrace_service import UnitHealthReporter


class TenantJournals:
    """Stores what one tenant's journals hold, and goes on with what comes, until cancelled."""

    def __init__(
        self,
        plan: TenantPlan,
        bus: Bus,
        known: KnownJournals,
        database: Database,
        aside: ShelvingProcess,
        health: UnitHealthReporter,
    ) -> None:
        self._plan, self._bus, self._known = plan, bus, known
        self._database, self._aside, self._health = database, aside, health
        self._read_hauls: asyncio.Queue[Haul] = asyncio.Queue(maxsize=1)
        self._ready: asyncio.Queue[asyncio.Task[Ready]] = asyncio.Queue(maxsize=1)
        """Five hauls are in memory at most: one in each of three hands, and one that waits between each two."""

    async def run(self) -> None:
        """Resume from the positions in the database; read, store and watch the lag.

        Raises:
            StoreError, BusError: the database or Redis refuses; what is stored is stored.
        """
        store = await self._database.opened()
        stored = await store.operations.positions()
        async with AsyncExitStack() as stack:
            journals = await stack.enter_async_context(self._bus.journals())
            # Not the same connection: there a look would wait behind a read that waits for news.
            looking = await stack.enter_async_context(self._bus.journals())
            intake = Intake(self._plan, journals, self._known.names, stored)
            storing = Storing(self._database, self._aside, self._health, stored)
            watch = LagWatch(self._plan, looking, storing.positions, self._health)
            self._health.state("live")
            await first_failure(
                self._read(intake), self._prepare(storing), self._store(storing), watch.run(intake.positions.keys())
            )

    async def _read(self, intake: Intake) -> NoReturn:
        while True:
            haul = await intake.next()
            if not haul.count:
                continue
            await self._read_hauls.put(haul)
            if haul.count < self._plan.batch_messages:
                # The journal collects meanwhile; where more waits than a batch holds, there is no time to lose.
                await asyncio.sleep(self._plan.batch_interval_s)

    async def _prepare(self, storing: Storing) -> NoReturn:
        async with asyncio.TaskGroup() as preparing:
            while True:
                haul = await self._read_hauls.get()
                # Stored in this order, and the next one is begun while this one is still being made ready.
                await self._ready.put(preparing.create_task(storing.prepare(haul)))
        raise AssertionError("a group of tasks never ends by itself")

    async def _store(self, storing: Storing) -> NoReturn:
        while True:
            await storing.store(await (await self._ready.get()))
