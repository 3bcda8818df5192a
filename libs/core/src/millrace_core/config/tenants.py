"""The tenants that a configuration names, whether it is valid or not; one more, and one less. Pure."""

import copy
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from millrace_core.names import Tenant

_BY_TENANT: Final = ("exchanges", "risk")
PUBLIC_POINTS: Final = ("watchOrderBook", "watchTrades", {"action": "watchOHLCV", "timeframe": "1m"})
PRIVATE_POINTS: Final = ("watchOrders", "watchMyTrades", "watchBalance")
_MAX_NOTIONAL, _MAX_PER_SECOND = 1_000, 5
"""Limits that a new tenant's orders begin with, as the examples have them but smaller."""


def tenants_of(config: Any) -> set[str]:
    """Return the tenants that a decoded configuration names."""
    return set(_named(config)) if isinstance(config, dict) else set()


def _named(config: dict[str, Any]) -> Iterator[str]:
    for section in _BY_TENANT:
        if isinstance(held := config.get(section), dict):
            yield from held
    plans = config.get("workplans")
    for plan in plans if isinstance(plans, list) else ():
        if isinstance(plan, dict):
            yield from (str(plan[field]) for field in ("tenant", "tenantId") if field in plan)


class NewTenant(NamedTuple):
    """A tenant to add, on one exchange."""

    tenant: Tenant
    exchange: str
    symbols: tuple[str, ...]
    account: dict[str, Any]
    """As configurations have it, its secrets encrypted; without keys only public data is taken."""

    @property
    def trades(self) -> bool:
        """Tell whether it has keys."""
        return "apiKey" in self.account


def added(kind: str, config: dict[str, Any], new: NewTenant) -> dict[str, Any]:
    """Return an agent's configuration with a tenant in it."""
    changed = copy.deepcopy(config)
    if kind in ("gatherer", "executor"):
        changed.setdefault("exchanges", {}).setdefault(new.tenant, {})[new.exchange] = new.account
    if kind == "gatherer":
        points = [*PUBLIC_POINTS, *(PRIVATE_POINTS if new.trades else ())]
        plan = {"exchangeId": new.exchange, "assetPairs": list(new.symbols), "dataPoints": points}
        changed.setdefault("workplans", []).append({"tenant": new.tenant, **plan})
    elif kind == "executor":
        limits = {"maxOrderNotional": _MAX_NOTIONAL, "maxOrdersPerSecond": _MAX_PER_SECOND}
        changed.setdefault("risk", {})[new.tenant] = limits | {"symbols": list(new.symbols)}
    elif kind == "dbsync":
        changed.setdefault("workplans", []).append({"tenant": new.tenant, "assets": [f"stream.{new.tenant}.*"]})
    return changed


def removed(config: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """Return a configuration without a tenant's accounts, limits and workplans."""
    changed = copy.deepcopy(config)
    for section in _BY_TENANT:
        if isinstance(held := changed.get(section), dict):
            held.pop(tenant, None)
    if isinstance(plans := changed.get("workplans"), list):
        changed["workplans"] = [plan for plan in plans if not _is_of(plan, tenant)]
    return changed


def _is_of(plan: Any, tenant: Tenant) -> bool:
    return isinstance(plan, dict) and tenant in (plan.get("tenant"), plan.get("tenantId"))
