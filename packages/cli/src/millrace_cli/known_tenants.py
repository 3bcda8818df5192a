"""The tenants that anything in Redis speaks of."""

import msgspec

from millrace_bus import Bus
from millrace_core.config import tenants_of
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant, tenant_or_none


async def known_tenants(bus: Bus) -> list[Tenant]:
    """Return the tenants that have streams, or stand in a configuration."""
    found = {name.tenant for name in await bus.stream_names()}
    for text in (await bus.all_configs()).values():
        try:
            named = tenants_of(msgspec.json.decode(text))
        except UNREADABLE:
            continue
        found |= {tenant for each in named if (tenant := tenant_or_none(each)) is not None}
    return sorted(found)
