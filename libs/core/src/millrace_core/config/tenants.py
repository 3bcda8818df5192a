"""The tenants that a configuration names, whether it is valid or not."""

from collections.abc import Iterator
from typing import Any, Final

_BY_TENANT: Final = ("exchanges", "risk")


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
