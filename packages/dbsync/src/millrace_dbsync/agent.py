"""Dbsync as a service: a unit for each tenant's journals, one for the agents, one for the database itself."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from millrace_bus import Bus
from millrace_core.config import DbsyncConfig
from millrace_dbsync.agent_history import AgentHistory
from millrace_dbsync.committing.database import Database
from millrace_dbsync.maintenance import keep_up
from millrace_dbsync.plan import AgentsPlan, Plan, TenantPlan, UpkeepPlan, plans
from millrace_dbsync.reader.pool import Readers
from millrace_dbsync.reading.known_journals import KnownJournals
from millrace_dbsync.tenant_journals import TenantJournals
from millrace_service import Agent, UnitHealthReporter, UnitKey


class _Shared(NamedTuple):
    """What all units use."""

    bus: Bus
    database: Database
    known: KnownJournals
    readers: Readers


class DbsyncAgent(Agent[DbsyncConfig, Plan]):
    """Stores journals in the database at `url`, each message once; any number of them may share a database."""

    kind = "dbsync"
    config_model = DbsyncConfig

    def __init__(self, url: str) -> None:
        self._url = url
        self._shared: _Shared | None = None

    def units(self, config: DbsyncConfig) -> Mapping[UnitKey, Plan]:
        """Return a unit for each tenant, and those of the database."""
        return plans(config)

    def warnings(self, config: DbsyncConfig) -> Sequence[str]:
        """Say when nothing is to be stored."""
        return () if config.workplans else ("workplans is empty: no journal is stored",)

    async def started(self, bus: Bus) -> None:
        """Begin to open the database; it may come later."""
        self._shared = _Shared(bus, Database(self._url), KnownJournals(bus.journals()), Readers())

    async def stopped(self) -> None:
        """Close the database, and end what would read for it."""
        if self._shared is not None:
            await self._shared.readers.close()
            await self._shared.database.close()

    async def run_unit(self, key: UnitKey, unit_config: Plan, health: UnitHealthReporter) -> None:
        """Run one unit."""
        if self._shared is None:
            raise RuntimeError("run_unit before started")
        bus, database, known, readers = self._shared
        match unit_config:
            case TenantPlan():
                await TenantJournals(unit_config, bus, known, database, readers, health).run()
            case AgentsPlan():
                await AgentHistory(bus, database, health).run()
            case UpkeepPlan():
                await keep_up(unit_config, database, health)
