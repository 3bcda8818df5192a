"""The database that all units share: opened as soon as it answers, and retried whenever it does not."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.ids import MessageId
from millrace_service import SettingsInvalid, UnitHealthReporter
from millrace_service.settings import DEFAULT_DATA_DIR
from millrace_store import Batch, DatabaseUnavailable, Store, UnsupportedDatabase

_RETRIES = BackoffPolicy(first_s=0.1, limit_s=2.0)

T = TypeVar("T")

log = structlog.get_logger()


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of the database: `MILLRACE_DATABASE_URL`, else a file in the data folder.

    Raises:
        SettingsInvalid: it is not the address of a supported database.
    """
    data_dir = Path(environ.get("MILLRACE_DATA_DIR") or DEFAULT_DATA_DIR)
    url = environ.get("MILLRACE_DATABASE_URL") or f"sqlite:///{data_dir.absolute() / 'millrace.db'}"
    try:
        Store.check_url(url)
    except UnsupportedDatabase as error:
        raise SettingsInvalid(f"MILLRACE_DATABASE_URL: {error}") from error
    return url


class SharedDatabase:
    """Opens the store in the background and keeps it open; the database may start later than dbsync."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: asyncio.Future[Store] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._is_away = False
        """Whether an outage was reported; all units have the same one."""
        self._keeper = asyncio.create_task(self._keep(), name="database")
        self._keeper.add_done_callback(self._ended)

    async def opened(self) -> Store:
        """Return the store, once it is open.

        Raises:
            StoreError: it cannot be opened: the address is wrong, or the database refuses the connection.
        """
        return await asyncio.shield(self._opened)

    async def commit(self, batch: Batch, health: UnitHealthReporter) -> None:
        """Commit a batch. While the database does not answer, retry without end and report the unit as stale.

        Raises:
            StoreError: the database refuses a value in it; never because it is unavailable.
        """
        store = await self.opened()
        if (await self._until_available(lambda: store.commit(batch), health))[1]:
            health.state("live")

    async def positions(self, health: UnitHealthReporter) -> dict[str, MessageId]:
        """Return up to which message each journal is stored. While the database does not answer, retry without end."""
        store = await self.opened()
        return (await self._until_available(store.operations.positions, health))[0]

    async def close(self) -> None:
        """Close the store. Everything that was committed is stored."""
        self._closing.set()
        if not self._opened.done():
            self._keeper.cancel()
        await asyncio.wait([self._keeper])

    async def _keep(self) -> None:
        await self._until_available(self._open)

    async def _open(self) -> None:
        async with Store.open(self._url) as store:
            self._answered()
            self._opened.set_result(store)
            await self._closing.wait()

    def _ended(self, keeper: "asyncio.Task[None]") -> None:
        """Fail all waiters for the store with the reason why it cannot be opened."""
        if self._opened.done():
            return
        if keeper.cancelled():
            self._opened.cancel()
        elif (error := keeper.exception()) is not None:
            self._opened.set_exception(error)

    async def _until_available(
        self, call: Callable[[], Awaitable[T]], health: UnitHealthReporter | None = None
    ) -> tuple[T, int]:
        """Call until the database answers; return the result, and how often it did not answer.

        Meanwhile `health` is stale.
        """
        backoff = Backoff(_RETRIES)
        while True:
            try:
                result = await call()
            except DatabaseUnavailable as error:
                if health is not None:
                    health.state("stale", f"waiting for the database: {error}")
                self._unavailable(error)
                await asyncio.sleep(backoff.failed())
            else:
                self._answered()
                return result, backoff.failures

    def _unavailable(self, error: DatabaseUnavailable) -> None:
        if not self._is_away:
            log.warning("the database does not answer; retrying", reason=str(error))
        self._is_away = True

    def _answered(self) -> None:
        if self._is_away:
            log.info("the database answers again")
        self._is_away = False
