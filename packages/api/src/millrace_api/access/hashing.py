"""Making and checking hashes of secrets: slow on purpose, so it is bounded, and beside the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from millrace_api.access.principal import Role
from millrace_api.access.tokens import TokenText, is_secret_of, new_token
from millrace_api.problems import ApiError
from millrace_core.clock import now_ms
from millrace_core.names import Tenant
from millrace_store.queries.records import TokenRecord

MAX_WAITING: Final = 8
"""Secrets that one address, or tenant, may have in work or waiting at a time."""

T = TypeVar("T")


class Hashing:
    """One thread that makes and checks hashes of secrets, in turn for the tenants and addresses that ask for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hashing")
        self._waiting: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        """By tenant or address: of each, one secret at a time is in the thread's queue."""

    async def is_secret_of(self, secret: str, record: TokenRecord, address: str) -> bool:
        """Tell whether a secret that an address sent belongs to a token.

        Raises:
            ApiError: too many of the address are waiting.
        """
        return await self._in_turn(
            address, "too many tokens of this address are being checked", lambda: is_secret_of(secret, record)
        )

    async def new_token(
        self, tenant: Tenant, name: str, role: Role, expires_ms: int | None
    ) -> tuple[TokenText, TokenRecord]:
        """Return a new token of a tenant, still to be stored.

        Raises:
            ApiError: too many of the tenant are being made.
        """
        many = "too many tokens of this tenant are being made"
        return await self._in_turn(
            f"tenant {tenant}", many, lambda: new_token(tenant, name, role, now_ms(), expires_ms)
        )

    async def _in_turn(self, asker: str, many: str, hashed: Callable[[], T]) -> T:
        if self._waiting[asker] >= MAX_WAITING:
            raise ApiError(429, many, headers={"Retry-After": "1"})
        self._waiting[asker] += 1
        try:
            async with self._turns.setdefault(asker, asyncio.Lock()):
                return await asyncio.get_running_loop().run_in_executor(self._thread, hashed)
        finally:
            self._waiting[asker] -= 1
            if not self._waiting[asker]:
                del self._waiting[asker], self._turns[asker]
