"""The unit that stores the journals of one tenant: hauls are read, made ready and committed at the same time.

What is ready is committed together: one haul on a quiet day; while more is on its way, as many as a batch holds.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import NoReturn

from millrace_bus import Bus
from millrace_dbsync.concurrently import first_failure
from millrace_dbsync.database import Database
from millrace_dbsync.intake import CALL, Intake
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
        self._ready: asyncio.Queue[asyncio.Task[Ready]] = asyncio.Queue(max(2, plan.batch_messages // CALL))
        """In the order in which they were read; with a batch that is being committed, two batches in memory."""

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
            await first_failure(self._read(intake, storing), self._store(storing), watch.run(intake.positions.keys()))

    async def _read(self, intake: Intake, storing: Storing) -> NoReturn:
        """Read hauls, and have each made ready while the next ones are read."""
        async with asyncio.TaskGroup() as preparing:
            is_awaited = False
            while True:
                haul = await intake.next()
                if haul.count or is_awaited:
                    await self._ready.put(preparing.create_task(storing.prepare(haul)))
                is_awaited = haul.has_more
                if haul.count and not haul.has_more:
                    # The journal collects meanwhile; where more waits than was read, there is no time to lose.
                    await asyncio.sleep(self._plan.batch_interval_s)
        raise AssertionError("a group of tasks never ends by itself")

    async def _store(self, storing: Storing) -> NoReturn:
        while True:
            await storing.store(await self._together())

    async def _together(self) -> list[Ready]:
        """Wait for a haul, and for those that come with it, up to a batch."""
        ready: list[Ready] = []
        count = 0
        while True:
            ready.append(await (await self._ready.get()))
            count += ready[-1].haul.count
            if count >= self._plan.batch_messages or not ready[-1].haul.has_more:
                return ready
