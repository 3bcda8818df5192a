"""Verifying tokens: by their hash once, then by a lookup every few seconds."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace

from millrace_api.access.principal import ROLES, Principal
from millrace_api.access.tokens import TokenText, is_in_force, is_secret_of
from millrace_core.clock import now_ms
from millrace_core.names import tenant
from millrace_store import DatabaseUnavailable, Store
from millrace_store.queries.records import TokenRecord

RECHECK_S = 5.0
"""A token that is revoked or has expired stops working within this time."""
KEPT_S = 300.0
"""While the database is unavailable, tokens that were verified stay valid for this long."""
_USED_EVERY_MS = 60_000
_MAX_KNOWN = 10_000
_MAX_HASHING = 2


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified token."""

    record: TokenRecord
    checked_s: float


class Verifier:
    """Verifies tokens against the database."""

    def __init__(self, store: Store) -> None:
        self._access = store.access
        self._known: dict[bytes, _Known] = {}
        """By the token's digest, so that no secret stays in memory."""
        self._good: dict[str, tuple[bool, float]] = {}
        """By token id, whether it was in force, and when that was looked up (s)."""
        self._hashing = asyncio.Semaphore(_MAX_HASHING)

    async def principal(self, text: str) -> Principal | None:
        """Return a token's principal; None when the token is unknown or no longer in force.

        Raises:
            DatabaseUnavailable: the token is not cached and cannot be looked up.
        """
        token = TokenText.parse(text)
        if token is None:
            return None
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        record = await self._record(digest, token)
        return None if record is None or not is_in_force(record, now_ms()) else _principal(record)

    async def is_good(self, token_id: str) -> bool:
        """Tell whether a token that was verified earlier is still in force.

        Raises:
            DatabaseUnavailable: it cannot be looked up.
        """
        good, checked_s = self._good.get(token_id, (False, -RECHECK_S))
        if time.monotonic() - checked_s >= RECHECK_S:
            record = await self._access.token(token_id)
            good = record is not None and is_in_force(record, now_ms())
            self._good[token_id] = (good, time.monotonic())
        return good

    def forget(self, token_id: str) -> None:
        """Look up a token again at its next use."""
        self._known = {digest: known for digest, known in self._known.items() if known.record.id != token_id}
        self._good.pop(token_id, None)

    async def _record(self, digest: bytes, token: TokenText) -> TokenRecord | None:
        known, now_s = self._known.get(digest), time.monotonic()
        if known is not None and now_s - known.checked_s < RECHECK_S:
            return known.record
        try:
            record = await self._access.token(token.id)
        except DatabaseUnavailable:
            if known is not None and now_s - known.checked_s < KEPT_S:
                return known.record
            raise
        if record is None or not await self._verified(known, token, record):
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[digest] = _Known(await self._used(record), now_s)
        return record

    async def _verified(self, known: _Known | None, token: TokenText, record: TokenRecord) -> bool:
        if known is not None and known.record.secret_hash == record.secret_hash:
            return True
        async with self._hashing:
            return await asyncio.to_thread(is_secret_of, token.secret, record)

    async def _used(self, record: TokenRecord) -> TokenRecord:
        at_ms = now_ms()
        if record.last_used_ms is not None and at_ms - record.last_used_ms < _USED_EVERY_MS:
            return record
        await self._access.token_used(record.id, at_ms)
        return record


def _principal(record: TokenRecord) -> Principal | None:
    if record.role not in ROLES:
        return None
    return Principal(tenant(record.tenant), record.role, record.id, record.name)


def with_csrf(principal: Principal, csrf: str) -> Principal:
    """Return a principal with a CSRF secret."""
    return replace(principal, csrf=csrf)
