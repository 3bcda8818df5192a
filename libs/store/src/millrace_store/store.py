"""The database as the platform sees it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

from millrace_store.access import Access
from millrace_store.account import Account
from millrace_store.batch import Batch
from millrace_store.exports import Exports
from millrace_store.market import Market
from millrace_store.operations import Operations


class Retention(NamedTuple):
    """For how many days each kind of history is kept; None keeps it for ever."""

    book_days: int | None = None
    trades_days: int | None = None
    other_days: int | None = None


class Store:
    """A database, open."""

    market: Market
    account: Account
    operations: Operations
    access: Access
    exports: Exports

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, migrate: bool = True) -> AsyncIterator["Store"]:
        """Open `sqlite:///path` or `postgresql://…`, bringing the schema up to date first.

        Any number of processes may open it at once.

        Raises:
            UnsupportedDatabase: the address is neither.
            DatabaseUnavailable: it does not answer.
        """
        raise NotImplementedError
        yield

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """Open a batch: committed as a whole when the block ends, forgotten when it raises.

        Raises:
            DatabaseUnavailable: on leaving the block; the batch may be given again whole.
        """
        raise NotImplementedError

    async def maintain(self, retention: Retention = Retention()) -> None:  # noqa: B008
        """Do what keeps queries quick and the disk bounded; call it every minute, from one process or several.

        Builds candles of finished minutes and book checkpoints where snapshots are sparse, makes partitions ahead,
        and drops what is older than the retention.
        """
        raise NotImplementedError

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            DatabaseUnavailable: there is none.
        """
        raise NotImplementedError
