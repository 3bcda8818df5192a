"""The audit trail: every change that was requested, and everything that was denied."""

from typing import Final

import structlog

from millrace_core.clock import now_ms
from millrace_store import DatabaseUnavailable, Store
from millrace_store.queries.records import AuditEntry

NOBODY: Final = "-"
"""Tenant and actor of a request that was not authenticated."""
_MAX_TARGET: Final = 512

log = structlog.get_logger()


def entry(
    *,
    action: str,
    outcome: str,
    tenant: str = NOBODY,
    actor: str = NOBODY,
    target: str | None = None,
    address: str | None = None,
    detail: object = None,
) -> AuditEntry:
    """Return an entry of the trail for what happens now."""
    return AuditEntry(
        at_ms=now_ms(),
        tenant=tenant,
        actor=actor,
        action=_storable(action),
        outcome=outcome,
        target=None if target is None else _storable(target)[:_MAX_TARGET],
        address=address,
        detail=detail,
    )


async def record(store: Store, added: AuditEntry) -> None:
    """Write an entry to the database, or to the log while the database is unavailable."""
    try:
        await store.access.record([added])
    except DatabaseUnavailable:
        log.warning("audit: the database is unavailable; this line replaces the row", entry=added)


def _storable(text: str) -> str:
    """Return a client's text as every database can hold it: without NUL and unpaired surrogates."""
    return text.replace("\x00", "").encode(errors="replace").decode()
