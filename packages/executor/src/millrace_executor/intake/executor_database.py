"""The database as the executor uses it: opened when it first answers, never waited for long.

In it halts outlive Redis and the executor, and it counts the day's profit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from millrace_core.halts import HaltState
from millrace_core.names import Tenant
from millrace_store import DatabaseUnavailable, Scope, Store
from millrace_store.queries.portfolio_records import ProfitRecord

ANSWERED_S: Final = 10.0
"""The first start makes the tables of an empty database, which takes seconds on a busy machine."""
SOON_S: Final = 2.0
"""How long what holds up requests may take: shorter than a take-over."""

T = TypeVar("T")


class ExecutorDatabase:
    """Joins halts with the stored ones, and reads profits, for all tenants of an executor."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening: asyncio.Task[Store] | None = None
        self._given_up: set[asyncio.Future[Any]] = set()
        """Questions that are not waited for any more: a database that hangs lets nobody end them at once."""
        self._resources = AsyncExitStack()

    async def prepare(self) -> None:
        """Open the database if it answers, so that the first question need not wait for that."""
        await asyncio.wait({self._opened()}, timeout=ANSWERED_S)

    async def merge(self, tenant: Tenant, known: HaltState, *, within_s: float = ANSWERED_S) -> HaltState:
        """Store what is known of a tenant's halts; return that, joined with what was stored.

        Raises:
            DatabaseUnavailable: the database, which is open, does not answer in time.
        """
        return await self._in_time(lambda store: store.halts.merge(tenant, known), within_s)

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
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        await self._resources.aclose()

    async def _in_time(self, ask: Callable[[Store], Awaitable[T]], within_s: float = ANSWERED_S) -> T:
        store = await self._within(self._opened(), ANSWERED_S)
        question = asyncio.ensure_future(ask(store))
        try:
            return await self._within(question, within_s)
        finally:
            if question.cancel():
                self._given_up.add(question)
                question.add_done_callback(self._ended)

    async def _within(self, answer: "asyncio.Future[T]", within_s: float) -> T:
        """Return the answer, without waiting for the end of what is too late."""
        done, _ = await asyncio.wait({answer}, timeout=within_s)
        if not done:
            raise DatabaseUnavailable(f"no answer within {within_s:.0f} s")
        try:
            return answer.result()
        except OSError as error:
            raise DatabaseUnavailable(f"its folder cannot be made: {error}") from error

    def _ended(self, question: "asyncio.Future[Any]") -> None:
        self._given_up.discard(question)
        if not question.cancelled():
            question.exception()

    def _opened(self) -> "asyncio.Task[Store]":
        """Return the task that opens the database, for all who ask meanwhile; a new one if the last has failed."""
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = self._opening = asyncio.create_task(self._open(), name="open the database")
            opening.add_done_callback(self._ended)
        return opening

    async def _open(self) -> Store:
        return await self._resources.enter_async_context(Store.open(self._url))
