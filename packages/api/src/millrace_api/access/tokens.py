"""API tokens: `mr_{id}_{secret}`. The secret is shown once; only its argon2 hash is stored."""

import re
import secrets
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from millrace_api.access.principal import Role
from millrace_core.names import Tenant
from millrace_store.queries.records import TokenRecord

_PREFIX = "mr"
_ID_BYTES = 6
_SECRET_BYTES = 24
_FORM = re.compile(rf"{_PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_([A-Za-z0-9_-]{{{_SECRET_BYTES * 4 // 3}}})")
# OWASP's minimum for passwords; the secret is 192 random bits, which a slower hash would not protect better.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class TokenText(NamedTuple):
    """The two parts of a token."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{_PREFIX}_{self.id}_{self.secret}"

    @classmethod
    def parse(cls, text: str) -> "TokenText | None":
        """Return a token's parts; None when the text has another form."""
        return cls(*match.groups()) if (match := _FORM.fullmatch(text)) else None


def new_token(
    tenant: Tenant, name: str, role: Role, now_ms: int, expires_ms: int | None = None
) -> tuple[TokenText, TokenRecord]:
    """Return a new token: the text for its owner and the record to store."""
    token = TokenText(secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES))
    record = TokenRecord(
        id=token.id,
        tenant=tenant,
        name=name,
        role=role,
        secret_hash=_hasher.hash(token.secret),
        created_ms=now_ms,
        expires_ms=expires_ms,
        revoked_ms=None,
        last_used_ms=None,
    )
    return token, record


def is_secret_of(secret: str, record: TokenRecord) -> bool:
    """Tell whether a secret belongs to a token; takes about 20 ms of CPU."""
    try:
        return _hasher.verify(record.secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False


def is_in_force(record: TokenRecord, now_ms: int) -> bool:
    """Tell whether a token is neither revoked nor expired."""
    return record.revoked_ms is None and (record.expires_ms is None or record.expires_ms > now_ms)
