"""The database that the units of a process share: opened when it is first needed, and waited for when it is away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TypeVar

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_service import UnitHealthReporter
from millrace_store import DatabaseUnavailable, Store

SLOW_S = 10.0
"""After this long without an answer a unit is `stale`."""
_RETRIES = BackoffPolicy(first_s=0.1, limit_s=2.0)

T = TypeVar("T")

log = structlog.get_logger()


class SharedDatabase:
    """Opens the store when a unit first needs it, and keeps it open; the database may start later than dbsync."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening = asyncio.Lock()
        self._store: Store | None = None
        self._resources = AsyncExitStack()
        self._is_away = False
        """Whether an outage was logged; all units have the same one."""

    async def ask(
        self, question: Callable[[Store], Awaitable[T]], health: UnitHealthReporter, *, is_long: bool = False
    ) -> T:
        """Return the store's answer. While the database does not answer, retry without end; the unit is `stale` then.

        So it is when an answer takes 10 s, unless the question `is_long`.

        Raises:
            StoreError: the database refuses; never because it is unavailable.
        """
        backoff = Backoff(_RETRIES)
        while True:
            try:
                with _noticed(health, None if is_long else SLOW_S) as was_slow:
                    answer = await question(await self._opened())
            except DatabaseUnavailable as error:
                health.state("stale", f"waiting for the database: {error}")
                self._unavailable(error)
                await asyncio.sleep(backoff.failed())
            else:
                self._answered()
                if backoff.failures or was_slow.is_set():
                    health.state("live")
                return answer

    async def close(self) -> None:
        """Close the store. Everything that was committed is stored."""
        await self._resources.aclose()

    async def _opened(self) -> Store:
        async with self._opening:
            if self._store is None:
                self._store = await self._resources.enter_async_context(Store.open(self._url))
            return self._store

    def _unavailable(self, error: DatabaseUnavailable) -> None:
        if not self._is_away:
            log.warning("the database does not answer; retrying", reason=str(error))
        self._is_away = True

    def _answered(self) -> None:
        if self._is_away:
            log.info("the database answers again")
        self._is_away = False


@contextmanager
def _noticed(health: UnitHealthReporter, after_s: float | None) -> Iterator[asyncio.Event]:
    """Tell while a question goes on that it takes long: one to a server that hangs fails minutes later only."""
    was_slow = asyncio.Event()

    def notice() -> None:
        was_slow.set()
        health.state("stale", f"the database has not answered for {after_s:g} s")

    timer = None if after_s is None else asyncio.get_running_loop().call_later(after_s, notice)
    try:
        yield was_slow
    finally:
        if timer is not None:
            timer.cancel()
