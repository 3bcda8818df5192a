"""The audit trail: every change that somebody asked for, and everything that was denied."""

import structlog

from millrace_core.clock import now_ms
from millrace_store import DatabaseUnavailable, Store

NOBODY = "-"
"""Stands for the tenant and the actor where none was verified."""

log = structlog.get_logger()


class Audit:
    """Writes the trail: into the database, and where that is away into the log."""

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
        """Record that somebody did something, or was denied it."""
        # PostgreSQL's texts hold no NUL, and who is denied chooses the target.
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
                "audit: the database is away; this line stands for the row",
                tenant=tenant,
                actor=actor,
                action=action,
                outcome=outcome,
                target=target,
                address=address,
                detail=detail,
            )
