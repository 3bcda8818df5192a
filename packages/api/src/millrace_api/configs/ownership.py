"""Ownership of configurations: a configuration belongs to the tenants that it names.

A tenant sees a configuration that names no other tenant but PUBLIC, and changes one that names it alone. A
configuration of several tenants, or of none, belongs to the operator: an admin of PUBLIC.
"""

from collections.abc import Iterator
from typing import Any

from millrace_api.access.principal import Principal
from millrace_core.names import PUBLIC

_BY_TENANT = ("exchanges", "risk")


def tenants_of(config: Any) -> set[str]:
    """Return the tenants that a configuration names, whether it is valid or not."""
    return set(_named(config)) if isinstance(config, dict) else set()


def may_see(principal: Principal, config: Any) -> bool:
    """Tell whether a principal may see a configuration, with its secrets masked."""
    named = tenants_of(config)
    return principal.is_operator or (principal.tenant in named and named <= {principal.tenant, PUBLIC})


def may_change(principal: Principal, config: Any) -> bool:
    """Tell whether a principal may put or replace a configuration."""
    return principal.is_operator or (principal.may("admin") and tenants_of(config) == {principal.tenant})


def _named(config: dict[str, Any]) -> Iterator[str]:
    for section in _BY_TENANT:
        if isinstance(held := config.get(section), dict):
            yield from held
    plans = config.get("workplans")
    for plan in plans if isinstance(plans, list) else ():
        if isinstance(plan, dict):
            yield from (str(plan[field]) for field in ("tenant", "tenantId") if field in plan)
