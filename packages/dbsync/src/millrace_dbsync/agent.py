"""dbsync as a service: units for each tenant's journals, one for the agents, one for maintenance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from millrace_bus import Bus
from millrace_core.config import DbsyncConfig
from millrace_core.instrument import is_misspelt
from millrace_dbsync.agent_history import AgentHistory
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.maintenance import maintain
from millrace_dbsync.plan import AgentsPlan, MaintenancePlan, TenantPlan, UnitPlan, plans
from millrace_dbsync.tenant_journals import TenantJournals
from millrace_service import Agent, UnitHealthReporter, UnitKey


class _Shared(NamedTuple):
    """What all units use."""

    bus: Bus
    database: SharedDatabase


class DbsyncAgent(Agent[DbsyncConfig, UnitPlan]):
    """Stores journals in the database at `url`, each message once. Several may share a database.

    With `keys` the plain secrets of configurations are encrypted before they are stored; without, they are left out.
    """

    kind = "dbsync"
    config_model = DbsyncConfig

    def __init__(self, url: str, keys: bytes | None = None) -> None:
        self._url, self._keys = url, keys
        self._shared: _Shared | None = None

    def units(self, config: DbsyncConfig) -> Mapping[UnitKey, UnitPlan]:
        """Return the units for each tenant, and those for agents and maintenance."""
        return plans(config)

    def warnings(self, config: DbsyncConfig) -> Sequence[str]:
        """Warn when no journal is to be stored, and of a currency in which nothing has a price."""
        if not config.workplans:
            return ("workplans is empty: nothing will be stored",)
        return [
            f"workplans[{index}].equityCurrency: nothing has a price in {currency}; exchanges write {currency.upper()}"
            for index, plan in enumerate(config.workplans)
            if is_misspelt(currency := plan.equity_currency)
        ]

    async def started(self, bus: Bus) -> None:
        """Prepare what the units share; the database may start later than dbsync."""
        self._shared = _Shared(bus, SharedDatabase(self._url))

    async def stopped(self) -> None:
        """Close the database."""
        if self._shared is not None:
            await self._shared.database.close()

    async def run_unit(self, key: UnitKey, unit_config: UnitPlan, health: UnitHealthReporter) -> None:
        """Run one unit."""
        if self._shared is None:
            raise RuntimeError("run_unit before started")
        bus, database = self._shared
        match unit_config:
            case TenantPlan():
                await TenantJournals(unit_config, bus, database, health).run()
            case AgentsPlan():
                await AgentHistory(bus, database, health, self._keys).run()
            case MaintenancePlan():
                await maintain(unit_config, database, health)
