"""The tenants that anything in Redis speaks of."""

import msgspec

from millrace_bus import Bus
from millrace_core.names import Tenant, tenant_or_none


async def known_tenants(bus: Bus) -> list[Tenant]:
    """Return the tenants that have streams, or stand in a configuration."""
    # The API's code takes a second to import, which commands that do not ask for tenants need not wait for.
    from millrace_api.configs.editor import tenants_of

    found = {name.tenant for name in await bus.stream_names()}
    for text in (await bus.configs()).values():
        try:
            named = tenants_of(msgspec.json.decode(text))
        except (msgspec.MsgspecError, RecursionError):
            continue
        found |= {tenant for each in named if (tenant := tenant_or_none(each)) is not None}
    return sorted(found)
