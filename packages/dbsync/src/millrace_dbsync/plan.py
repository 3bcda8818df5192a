"""Plans the units of a configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

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
    """Which journals of a tenant to store, and how; with several `shards`, only those that fall to `shard`."""

    tenant: Tenant
    assets: tuple[str, ...]
    requests: bool
    batch_interval_s: float
    batch_messages: int
    warn_at_percent: int
    shard: int = 0
    shards: int = 1

    def wants(self, name: str) -> bool:
        """Tell whether a journal of this name is to be stored."""
        if name == trader_actions(self.tenant):
            return self.requests and self.shard == 0
        try:
            stream = StreamName.parse(name)
        except InvalidName:
            return False
        if is_snapshot(name) and stream.action not in STORED_SNAPSHOTS:
            return False
        deltas = str(stream)
        return shard_of(deltas, self.shards) == self.shard and any(matches(asset, deltas) for asset in self.assets)


def shard_of(stream: str, shards: int) -> int:
    """Return the shard that a stream and its snapshots fall to: the same one in every process and version."""
    return int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big") % shards


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
    """Maintain the database. The days are the retention, None to keep everything."""

    book_days: int | None
    trades_days: int | None
    other_days: int | None
    currencies: tuple[tuple[Tenant, str], ...] = ()
    """In which currency the balances of each tenant are valued."""


UnitPlan = TenantPlan | AgentsPlan | MaintenancePlan


def plans(config: DbsyncConfig) -> Mapping[str, UnitPlan]:
    """Return the units by name: `{tenant}.journals` for each tenant, `agents`, and `maintenance`.

    With several workers a tenant's journals are divided: `{tenant}.journals.1` and so on, as many as there are workers.
    """
    units: dict[str, UnitPlan] = {}
    shards = 1 if config.workers == "each" else max(1, config.workers)
    for tenant in sorted({workplan.tenant for workplan in config.workplans}):
        whole = _tenant_plan(config, tenant)
        for shard in range(shards):
            name = f"{tenant}.journals" if shards == 1 else f"{tenant}.journals.{shard + 1}"
            units[name] = replace(whole, shard=shard, shards=shards)
    if config.agents:
        units[AGENTS] = AgentsPlan()
    kept = config.retention
    currencies = sorted({(workplan.tenant, workplan.equity_currency) for workplan in config.workplans})
    units[MAINTENANCE] = MaintenancePlan(kept.book_days, kept.trades_days, kept.other_days, tuple(currencies))
    return units


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
