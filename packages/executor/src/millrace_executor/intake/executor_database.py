"""The database as the executor uses it: opened when it first answers, never waited for long.

In it halts outlive Redis and the executor, and it counts the day's profit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final, TypeVar

from millrace_core.halts import HaltState
from millrace_core.names import Tenant
from millrace_store import DatabaseUnavailable, Scope, Store, StoreError
from millrace_store.queries.portfolio_records import ProfitRecord

_TIMEOUT_S: Final = 10.0
"""The first start makes the tables of an empty database, which takes seconds on a busy machine."""

T = TypeVar("T")


class ExecutorDatabase:
    """Joins halts with the stored ones, and reads profits, for all tenants of an executor."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening = asyncio.Lock()
        self._store: Store | None = None
        self._resources = AsyncExitStack()

    async def prepare(self) -> None:
        """Open the database if it answers, so that the first question need not wait for that."""
        with suppress(TimeoutError, OSError, StoreError):
            async with asyncio.timeout(_TIMEOUT_S):
                await self._opened()

    async def merge(self, tenant: Tenant, known: HaltState) -> HaltState:
        """Store what is known of a tenant's halts; return that, joined with what was stored.

        Raises:
            DatabaseUnavailable: the database does not answer in time.
        """
        return await self._in_time(lambda store: store.halts.merge(tenant, known))

    async def profits_since(self, tenant: Tenant, since_ms: int) -> dict[str, ProfitRecord]:
        """Return a tenant's profit by its currency, from the hour that holds a time on.

        Raises:
            StoreError: the database does not answer in time, or cannot answer.
        """
        scope = Scope(tenant, since_ms=since_ms)
        profits = await self._in_time(lambda store: store.portfolio.profits(scope))
        return {profit.currency: profit for profit in profits}

    async def own_trades_stored(self, tenant: Tenant) -> dict[str, tuple[int, int]]:
        """Return how far each of a tenant's streams of own trades is stored, as `profits_since` reads them.

        Raises:
            StoreError: the database does not answer in time, or cannot answer.
        """
        return await self._in_time(lambda store: store.portfolio.own_trades_stored(tenant))

    async def close(self) -> None:
        """Close the database."""
        await self._resources.aclose()

    async def _in_time(self, ask: Callable[[Store], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await ask(await self._opened())
        except TimeoutError as error:
            raise DatabaseUnavailable(f"no answer within {_TIMEOUT_S:.0f} s") from error
        except OSError as error:
            raise DatabaseUnavailable(f"its folder cannot be made: {error}") from error

    async def _opened(self) -> Store:
        async with self._opening:
            if self._store is None:
                self._store = await self._resources.enter_async_context(Store.open(self._url))
            return self._store
