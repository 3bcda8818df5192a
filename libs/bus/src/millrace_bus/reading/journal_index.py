"""The index of each tenant's journals, so that the keyspace is never scanned.

See docs/protocol.md, "Indexes". Writers register their journals when they begin to write and every minute after, so a
journal that Redis forgot is registered again.
"""

import logging
from collections.abc import Iterable

from millrace_bus.connection.calls import Call
from millrace_bus.connection.connection import CommandPart
from millrace_bus.connection.indexes import members
from millrace_bus.errors import CommandRefused
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidName
from millrace_core.names import TENANTS_INDEX, StreamName, Tenant, is_snapshot, journals_index, tenant_or_none

REGISTER_EVERY_S = 60.0
"""How often a writer registers its journals again."""

_log = logging.getLogger(__name__)


def registering(tenant: Tenant, *names: str, expire_after_s: int | None = None) -> list[tuple[CommandPart, ...]]:
    """Return the commands that register journals, with an expiry if `expire_after_s` is set."""
    index = journals_index(tenant)
    now = now_ms()
    kept_until: CommandPart = "+inf" if expire_after_s is None else now + expire_after_s * 1_000
    return [
        ("ZADD", index, *(part for name in names for part in (kept_until, name))),
        ("SADD", TENANTS_INDEX, tenant),
        # The entries of journals that have expired.
        ("ZREMRANGEBYSCORE", index, "-inf", f"({now}"),
        *(("EXPIRE", name, expire_after_s) for name in names if expire_after_s is not None),
    ]


async def journal_names(call: Call, tenants: Iterable[Tenant] | None = None) -> set[str]:
    """Return the names of the journals of some tenants, or of all: streams, their snapshots, requests to trade."""
    names: set[str] = set()
    for tenant in await known_tenants(call) if tenants is None else tenants:
        try:
            found = await call("ZRANGEBYSCORE", journals_index(tenant), now_ms(), "+inf")
        except CommandRefused as refused:
            if refused.code != "WRONGTYPE":
                raise
            _log.error("the journals of %s cannot be found: %s; delete %s", tenant, refused, journals_index(tenant))
            continue
        # A name that is not UTF-8 is not ours; it must not keep the others from being read.
        names.update(name.decode(errors="replace") for name in found)
    return names


async def known_tenants(call: Call) -> list[Tenant]:
    """Return the tenants that have journals, sorted."""
    found = (tenant_or_none(each.decode(errors="replace")) for each in await members(call, TENANTS_INDEX))
    return sorted(tenant for tenant in found if tenant is not None)


async def stream_names(call: Call, tenants: Iterable[Tenant] | None = None) -> list[StreamName]:
    """Return the streams of some tenants, or of all, sorted; without their snapshots and the requests to trade."""
    names = [_stream(name) for name in await journal_names(call, tenants)]
    return sorted({name for name in names if name is not None}, key=str)


def _stream(name: str) -> StreamName | None:
    if is_snapshot(name):
        return None
    try:
        return StreamName.parse(name)
    except InvalidName:
        return None
