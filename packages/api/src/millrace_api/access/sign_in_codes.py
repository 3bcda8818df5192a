"""Codes that sign a person in once: a link may hold one, since it is worthless after its first use.

Only a code's digest is stored. The tokens that it stands for are made when it is used.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from typing import Final, cast

from millrace_api.access.principal import Role
from millrace_api.access.tokens import TokenText, new_token
from millrace_core.clock import now_ms
from millrace_core.names import Tenant
from millrace_store import Store
from millrace_store.queries.records import SignInCode, TokenRecord

MAX_LENGTH: Final = 64


async def create(
    store: Store, tenants: Sequence[Tenant], role: Role, usable_ms: int, token_ms: int | None = None
) -> str:
    """Create a code for a token of each tenant, and return it; it is stored nowhere.

    Args:
        store: The database.
        tenants: Whose tokens it stands for.
        role: The role of the tokens.
        usable_ms: How long it may be used.
        token_ms: How long the tokens hold, from now on; None for ever.
    """
    code, now = secrets.token_urlsafe(24), now_ms()
    expires_ms = None if token_ms is None else now + token_ms
    await store.access.add_sign_in_code(
        [
            SignInCode(
                digest=_digest(code),
                tenant=tenant,
                role=role,
                usable_until_ms=now + usable_ms,
                expires_ms=expires_ms,
            )
            for tenant in tenants
        ]
    )
    return code


async def use(store: Store, code: str) -> list[tuple[TokenText, TokenRecord]]:
    """Use a code up, and return the new tokens that it stands for; none if it cannot be used (any more)."""
    made = []
    for found in await store.access.use_sign_in_code(_digest(code), now_ms()):
        name = f"sign-in {secrets.token_hex(4)}"
        tenant, role = Tenant(found.tenant), cast(Role, found.role)
        token, record = await asyncio.to_thread(new_token, tenant, name, role, now_ms(), found.expires_ms)
        await store.access.add_token(record)
        made.append((token, record))
    return made


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
