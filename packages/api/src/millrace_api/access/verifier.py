"""Verifying tokens: by their hash once, then by a lookup every few seconds."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from millrace_api.access.hashing import Hashing
from millrace_api.access.principal import ROLES, Principal
from millrace_api.access.tokens import TokenText, is_in_force
from millrace_api.access.trail import Trail
from millrace_api.patience import answer_within
from millrace_core.clock import now_ms
from millrace_core.names import tenant_or_none
from millrace_store import DatabaseUnavailable, Store
from millrace_store.queries.records import TokenRecord

RECHECK_S = 2.0
"""A token that is revoked or has expired is refused within this time."""
KEPT_S = 300.0
"""While the database is unavailable, tokens that were verified stay valid for this long."""
LOOKUP_S: Final = 0.05
"""How long the lookup of a token may take that was verified before: a database that hangs delays nobody."""
_WRONG_KEPT_S: Final = 60.0
_USED_EVERY_MS: Final = 60_000
_MAX_KNOWN: Final = 10_000

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified token."""

    record: TokenRecord
    verified_s: float
    """When the database showed it last."""
    checked_s: float
    """When it was asked last, whether it answered or not."""


class Verifier:
    """Verifies tokens against the database."""

    def __init__(self, store: Store, trail: Trail, hashing: Hashing) -> None:
        self._access = store.access
        self._trail = trail
        self._known: dict[bytes, _Known] = {}
        """By the token's digest, so that no secret stays in memory."""
        self._wrong: dict[bytes, float] = {}
        """By the digest of a text that is no token, when that was found (s)."""
        self._digests: dict[str, bytes] = {}
        """The digest of each verified token, by its id."""
        self._verifying: dict[bytes, asyncio.Task[TokenRecord | None]] = {}
        self._hashing = hashing

    def has_verified(self, text: str) -> bool:
        """Tell whether a token was verified before."""
        return _digest(text) in self._known

    async def principal(self, text: str, address: str) -> Principal | None:
        """Return the principal of a token that an address sent; None if it is unknown or no longer in force.

        Raises:
            DatabaseUnavailable: the token was not verified before, and cannot be looked up.
            ApiError: too many tokens of the address wait to be verified.
        """
        token, digest = TokenText.parse(text), _digest(text)
        if token is None or time.monotonic() - self._wrong.get(digest, -_WRONG_KEPT_S) < _WRONG_KEPT_S:
            return None
        record = await self._recheck(digest) if digest in self._known else await self._first(digest, token, address)
        return None if record is None or not is_in_force(record, now_ms()) else _principal(record)

    async def is_good(self, token_id: str) -> bool:
        """Tell whether a token that was verified earlier is still in force.

        Raises:
            DatabaseUnavailable: it cannot be looked up.
        """
        if (digest := self._digests.get(token_id)) in self._known and digest is not None:
            record = await self._recheck(digest)
        else:
            record = await self._access.token(token_id)
        return record is not None and is_in_force(record, now_ms())

    def forget(self, token_id: str) -> None:
        """Look up a token again at its next use."""
        if (digest := self._digests.get(token_id)) in self._known and digest is not None:
            self._known[digest] = replace(self._known[digest], verified_s=-KEPT_S, checked_s=-KEPT_S)

    async def _recheck(self, digest: bytes) -> TokenRecord | None:
        """Return the record of a verified token, looked up again every `RECHECK_S`.

        Raises:
            DatabaseUnavailable: it could not be looked up for too long.
        """
        known, now_s = self._known[digest], time.monotonic()
        if now_s - known.checked_s < RECHECK_S:
            return known.record
        try:
            record = await answer_within(LOOKUP_S, self._access.token(known.record.id))
        except (TimeoutError, DatabaseUnavailable) as error:
            if now_s - known.verified_s >= KEPT_S:
                raise DatabaseUnavailable(str(error)) from error
            self._known[digest] = replace(known, checked_s=now_s)
            return known.record
        if record is None or record.secret_hash != known.record.secret_hash:
            self._known.pop(digest, None)
            return None
        self._known[digest] = _Known(self._used(record), now_s, now_s)
        return record

    async def _first(self, digest: bytes, token: TokenText, address: str) -> TokenRecord | None:
        """Return the record of a token that is not known yet; of many requests that bring it at once, one verifies."""
        if (verifying := self._verifying.get(digest)) is None:
            verifying = asyncio.create_task(self._verified(digest, token, address))
            self._verifying[digest] = verifying
            verifying.add_done_callback(lambda done: self._finish(digest, done))
        return await asyncio.shield(verifying)

    def _finish(self, digest: bytes, done: "asyncio.Task[TokenRecord | None]") -> None:
        del self._verifying[digest]
        if not done.cancelled():
            done.exception()  # Everybody who waited may have left.

    async def _verified(self, digest: bytes, token: TokenText, address: str) -> TokenRecord | None:
        """Return the record of a token: cheap checks first, then its secret."""
        record = await self._access.token(token.id)
        if record is None or not is_in_force(record, now_ms()):
            return None
        if not await self._hashing.is_secret_of(token.secret, record, address):
            _keep(self._wrong, digest, time.monotonic())
            return None
        now_s = time.monotonic()
        _keep(self._known, digest, _Known(self._used(record), now_s, now_s))
        _keep(self._digests, record.id, digest)
        return record

    def _used(self, record: TokenRecord) -> TokenRecord:
        at_ms = now_ms()
        if record.last_used_ms is None or at_ms - record.last_used_ms >= _USED_EVERY_MS:
            self._trail.token_used(record.id, at_ms)
        return record


def _principal(record: TokenRecord) -> Principal | None:
    of = tenant_or_none(record.tenant)
    if record.role not in ROLES or of is None:
        return None
    return Principal(of, record.role, record.id, record.name)


def with_csrf(principal: Principal, csrf: str) -> Principal:
    """Return a principal with a CSRF secret."""
    return replace(principal, csrf=csrf)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    """Keep a value, in place of the oldest if there are too many."""
    if len(kept) >= _MAX_KNOWN and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value
