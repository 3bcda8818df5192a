"""What keeps queries quick and the disk bounded."""

from typing import NamedTuple

from millrace_store.database import Database


class Retention(NamedTuple):
    """For how many days each kind of history is kept; None keeps it for ever."""

    book_days: int | None = None
    trades_days: int | None = None
    other_days: int | None = None


async def maintain(database: Database, retention: Retention) -> None:
    """See `Store.maintain`."""
    raise NotImplementedError
