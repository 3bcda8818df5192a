"""Plans the units of a configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from millrace_core.config import DbsyncConfig
from millrace_core.errors import InvalidName
from millrace_core.names import StreamName, Tenant, is_snapshot, trader_actions

STORED_SNAPSHOTS = frozenset({"watchOrderBook", "watchTicker", "watchBalance", "watchOrders"})
"""Actions whose state at a moment cannot be rebuilt from deltas alone. Trades and candles need no snapshot."""
AGENTS = "agents"
"""The unit that stores the states and configurations of agents."""
MAINTENANCE = "maintenance"
"""The unit that maintains the database."""


@dataclass(frozen=True)
class TenantPlan:
    """Which journals of a tenant to store, and how."""

    tenant: Tenant
    assets: tuple[str, ...]
    requests: bool
    batch_interval_s: float
    batch_messages: int
    warn_at_percent: int

    def wants(self, name: str) -> bool:
        """Tell whether a journal of this name is to be stored."""
        if name == trader_actions(self.tenant):
            return self.requests
        try:
            stream = StreamName.parse(name)
        except InvalidName:
            return False
        if is_snapshot(name) and stream.action not in STORED_SNAPSHOTS:
            return False
        return any(matches(asset, str(stream)) for asset in self.assets)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name matches a pattern, in which `*` stands for any text; in linear time, however many there are.

    A regular expression would try every way to divide the name among the stars.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    *between, last = rest
    if not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        # The leftmost place leaves most for the parts behind.
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


@dataclass(frozen=True)
class AgentsPlan:
    """Store the states and configurations of agents."""


@dataclass(frozen=True)
class MaintenancePlan:
    """Maintain the database. The fields are the retention in days, or None to keep everything."""

    book_days: int | None
    trades_days: int | None
    other_days: int | None


UnitPlan = TenantPlan | AgentsPlan | MaintenancePlan


def plans(config: DbsyncConfig) -> Mapping[str, UnitPlan]:
    """Return the units by name: `{tenant}.journals` for each tenant, `agents`, and `maintenance`."""
    units: dict[str, UnitPlan] = {f"{tenant}.journals": _tenant_plan(config, tenant) for tenant in _tenants(config)}
    if config.agents:
        units[AGENTS] = AgentsPlan()
    kept = config.retention
    units[MAINTENANCE] = MaintenancePlan(kept.book_days, kept.trades_days, kept.other_days)
    return units


def _tenants(config: DbsyncConfig) -> set[Tenant]:
    return {workplan.tenant for workplan in config.workplans}


def _tenant_plan(config: DbsyncConfig, tenant: Tenant) -> TenantPlan:
    """Return one plan for all workplans of a tenant, so that a journal named twice is stored once."""
    ours = [workplan for workplan in config.workplans if workplan.tenant == tenant]
    return TenantPlan(
        tenant=tenant,
        assets=tuple(sorted({asset for workplan in ours for asset in workplan.assets})),
        requests=any(workplan.requests for workplan in ours),
        batch_interval_s=config.batch_interval,
        batch_messages=config.batch_messages,
        warn_at_percent=config.warn_at_percent,
    )
