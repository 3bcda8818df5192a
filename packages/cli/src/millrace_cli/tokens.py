"""`millrace tokens`: API tokens, created directly in the database, so that no token is needed to create the first."""

from typing import cast, get_args

from millrace_api.access import audit
from millrace_api.access.principal import Role
from millrace_api.access.tokens import new_token
from millrace_cli.database import existing
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.errors import MillraceError
from millrace_core.names import Tenant
from millrace_store import Store
from millrace_store.queries.records import TokenRecord

ACTOR = "millrace tokens"


class TokenError(MillraceError):
    """A token cannot be created or revoked; the text says why."""


def role_of(text: str) -> Role:
    """Return the role of this name.

    Raises:
        TokenError: there is none.
    """
    if text not in get_args(Role):
        raise TokenError(f"unknown role {text}: choose read, trade or admin; each includes those before it")
    return cast(Role, text)


async def create(url: str, tenant: Tenant, name: str, role: str, days: float | None) -> str:
    """Create a token and return its text, which is stored nowhere.

    Raises:
        TokenError: the role is unknown.
        Conflict: the tenant has a token with this name.
    """
    granted = role_of(role)
    at_ms = now_ms()
    expires_ms = None if days is None else at_ms + int(days * DAY_MS)
    token, record = new_token(tenant, name, granted, at_ms, expires_ms)
    async with Store.open(url) as store:
        await store.access.add_token(record)
        detail = {"token": record.id, "name": name, "role": role}
        await audit.record(
            store, audit.entry(action="create_token", outcome="done", tenant=tenant, actor=ACTOR, detail=detail)
        )
    return str(token)


async def listed(url: str, tenant: Tenant | None) -> list[TokenRecord]:
    """Return the tokens of a tenant, or of all tenants, without their secrets.

    Raises:
        NoDatabase: there is none.
    """
    async with Store.open(existing(url)) as store:
        return await store.access.tokens(tenant)


async def revoke(url: str, tenant: Tenant, token_id: str) -> None:
    """Revoke a token; running APIs refuse it within 5 s.

    Raises:
        NoDatabase: there is none.
        TokenError: the tenant has no token with this id in force.
    """
    async with Store.open(existing(url)) as store:
        if not await store.access.revoke_token(tenant, token_id, now_ms()):
            raise TokenError(f"{tenant} has no active token {token_id}; `millrace tokens list` shows all")
        await audit.record(
            store, audit.entry(action="revoke_token", outcome="done", tenant=tenant, actor=ACTOR, target=token_id)
        )
