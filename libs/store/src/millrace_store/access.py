"""What the API keeps: tokens, the audit trail, idempotency keys."""

from millrace_core.names import Tenant
from millrace_store.database import Database
from millrace_store.records import AuditRecord, IdempotentAnswer, TokenRecord
from millrace_store.scope import DEFAULT_LIMIT, Page


class Access:
    """Who may do what, and who did."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_token(self, token: TokenRecord) -> None:
        """Add a token.

        Raises:
            Conflict: the tenant has a token of this name, or the id is taken.
        """
        raise NotImplementedError

    async def token(self, token_id: str) -> TokenRecord | None:
        """Give a token by its id, revoked or expired ones too."""
        raise NotImplementedError

    async def tokens(self, tenant: Tenant | None = None) -> list[TokenRecord]:
        """Give a tenant's tokens, or all."""
        raise NotImplementedError

    async def revoke_token(self, tenant: Tenant, token_id: str, at_ms: int) -> bool:
        """Revoke a tenant's token; tell whether there was one in force."""
        raise NotImplementedError

    async def token_used(self, token_id: str, at_ms: int) -> None:
        """Remember when a token was last used."""
        raise NotImplementedError

    async def record(
        self,
        *,
        at_ms: int,
        tenant: str,
        actor: str,
        action: str,
        outcome: str,
        target: str | None = None,
        address: str | None = None,
        detail: object = None,
    ) -> None:
        """Add to the audit trail."""
        raise NotImplementedError

    async def audit(
        self,
        tenant: Tenant,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[AuditRecord]:
        """Give the audit trail, newest first."""
        raise NotImplementedError

    async def claim(self, tenant: Tenant, key: str, digest: str, at_ms: int) -> IdempotentAnswer | None:
        """Take an idempotency key, atomically: None when it is ours now, else what is kept under it."""
        raise NotImplementedError

    async def answered(self, tenant: Tenant, key: str, status: int, body: str) -> None:
        """Keep what was answered under a claimed key."""
        raise NotImplementedError

    async def forget_keys(self, before_ms: int) -> int:
        """Forget idempotency keys claimed before a moment; give how many."""
        raise NotImplementedError
