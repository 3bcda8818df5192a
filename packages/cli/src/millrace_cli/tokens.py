"""`millrace tokens`: the API's tokens, made where the database is, for whoever has none yet."""

from typing import cast, get_args

from millrace_api.access.audit import Audit
from millrace_api.access.principal import Role
from millrace_api.access.tokens import new_token
from millrace_core.clock import now_ms
from millrace_core.errors import MillraceError
from millrace_core.names import Tenant
from millrace_store import Store
from millrace_store.queries.records import TokenRecord

ACTOR = "millrace tokens"
DAY_MS = 86_400_000


class TokenRefused(MillraceError):
    """A token cannot be made or revoked; the text says why."""


async def create(url: str, tenant: Tenant, name: str, role: str, days: float | None) -> str:
    """Make a token and give its text, which is nowhere else.

    Raises:
        TokenRefused: there is no such role.
        Conflict: the tenant has a token of this name.
    """
    if role not in get_args(Role):
        raise TokenRefused(f"{role} is no role: read, trade and admin are, each may what those before it may")
    at_ms = now_ms()
    expires_ms = None if days is None else at_ms + int(days * DAY_MS)
    token, record = new_token(tenant, name, cast(Role, role), at_ms, expires_ms)
    async with Store.open(url) as store:
        await store.access.add_token(record)
        detail = {"token": record.id, "name": name, "role": role}
        await Audit(store).record(action="create_token", outcome="done", tenant=tenant, actor=ACTOR, detail=detail)
    return str(token)


async def listed(url: str, tenant: Tenant | None) -> list[TokenRecord]:
    """Return a tenant's tokens, or all; no secrets are in them."""
    async with Store.open(url) as store:
        return await store.access.tokens(tenant)


async def revoke(url: str, tenant: Tenant, token_id: str) -> None:
    """Revoke a token; running APIs refuse it within 5 s.

    Raises:
        TokenRefused: the tenant has no token of this id in force.
    """
    async with Store.open(url) as store:
        if not await store.access.revoke_token(tenant, token_id, now_ms()):
            raise TokenRefused(f"{tenant} has no token {token_id} in force; `millrace tokens list` shows what there is")
        await Audit(store).record(action="revoke_token", outcome="done", tenant=tenant, actor=ACTOR, target=token_id)
