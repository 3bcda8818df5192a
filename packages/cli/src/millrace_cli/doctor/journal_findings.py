"""Journals that an entry of another program stops, and names among them that no journal has."""

import shlex
from collections.abc import AsyncIterator
from typing import Final

from millrace_bus import Bus, Journals
from millrace_cli.doctor.finding import Finding, fail, ok, warn
from millrace_core.errors import InvalidName
from millrace_core.names import StreamName, Tenant, journals_index, trader_actions

_CLI: Final = 'redis-cli -u "$MILLRACE_REDIS_URL"'


async def journal_findings(bus: Bus) -> list[Finding]:
    """Return what is wrong with the journals of all tenants; that they are well if nothing is."""
    tenants = await bus.tenants()
    async with bus.journals() as journals:
        found = [finding for tenant in tenants async for finding in _of_tenant(journals, tenant)]
    return found or [ok("journals", f"those of {len(tenants)} tenants take messages")]


async def _of_tenant(journals: Journals, tenant: Tenant) -> AsyncIterator[Finding]:
    names = await journals.names([tenant])
    known = {name for name in names if _is_journal(tenant, name)}
    if foreign := names - known:
        index = journals_index(tenant)
        text = f"{len(foreign)} names that no journal has, such as {min(foreign)[:60]!a}: they are not read"
        yield warn(f"journals of {tenant}", text, f"{_CLI} zrem {index} NAME; then delete the key")
    for name, extent in sorted((await journals.extents(known)).items()):
        if extent.newest.is_last:
            text = f"ends with {extent.newest}, which another program wrote: Redis takes no message after it"
            yield fail(f"journal {name}", text, f"{_CLI} del {shlex.quote(name)}; its writer begins anew by itself")


def _is_journal(tenant: Tenant, name: str) -> bool:
    try:
        return name == trader_actions(tenant) or bool(StreamName.parse(name))
    except InvalidName:
        return False
