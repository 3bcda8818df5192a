"""The unit that stores the journals of one tenant, or a worker's share of them.

What was read is committed while what follows is read and turned into rows.
"""

from typing import NoReturn

from millrace_bus import Bus
from millrace_dbsync.committing.committer import Committer
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.handling.preparation import Preparation
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.intake import Intake
from millrace_dbsync.reading.lag import LagWatch
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all


class TenantJournals:
    """Stores the journals of a plan until cancelled."""

    def __init__(self, plan: TenantPlan, bus: Bus, database: SharedDatabase, health: UnitHealthReporter) -> None:
        self._plan, self._bus, self._database, self._health = plan, bus, database, health

    async def run(self) -> None:
        """Resume from the positions in the database; read, store and watch the lag.

        Raises:
            StoreError: the database refuses; stored messages stay stored.
            BusError: Redis does.
        """
        stored = await self._database.ask(lambda store: store.operations.positions(), self._health)
        positions = {name: at for name, at in stored.items() if self._plan.wants(name)}
        committer = Committer(self._database, self._health, positions)
        # The lag has a connection of its own, for reading waits on the other.
        async with self._bus.journals() as journals, self._bus.journals() as watched:
            preparation = Preparation(Intake(self._plan, journals, positions), self._plan)
            watch = LagWatch(self._plan, watched, positions, self._health)
            self._health.state("live")
            await run_all(preparation.run(), _commit(preparation, committer), watch.run())


async def _commit(preparation: Preparation, committer: Committer) -> NoReturn:
    while True:
        await committer.store(await preparation.ready.get())
