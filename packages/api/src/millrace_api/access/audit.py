"""The audit trail: every change that was requested, and everything that was denied."""

import structlog

from millrace_core.clock import now_ms
from millrace_store import DatabaseUnavailable, Store

NOBODY = "-"
"""Tenant and actor of a request that was not authenticated."""

log = structlog.get_logger()


class Audit:
    """Writes the audit trail to the database, or to the log while the database is unavailable."""

    def __init__(self, store: Store) -> None:
        self._access = store.access

    async def record(
        self,
        *,
        action: str,
        outcome: str,
        tenant: str = NOBODY,
        actor: str = NOBODY,
        target: str | None = None,
        address: str | None = None,
        detail: object = None,
    ) -> None:
        """Record one action and its outcome."""
        # PostgreSQL's texts hold no NUL, and the target comes from the client.
        target = target and target.replace("\x00", "")[:512]
        try:
            await self._access.record(
                at_ms=now_ms(),
                tenant=tenant,
                actor=actor,
                action=action,
                outcome=outcome,
                target=target,
                address=address,
                detail=detail,
            )
        except DatabaseUnavailable:
            log.warning(
                "audit: the database is unavailable; this line replaces the row",
                tenant=tenant,
                actor=actor,
                action=action,
                outcome=outcome,
                target=target,
                address=address,
                detail=detail,
            )
