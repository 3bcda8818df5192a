"""Errors of the database.

MillraceError
└── StoreError
    ├── UnsupportedDatabase  url      the address names neither SQLite nor PostgreSQL
    ├── DatabaseUnavailable           it does not answer, or is shutting down: try again later
    │   └── DatabaseIsNewer           a newer version has changed its tables: that version has to run
    ├── ValueRejected                 it cannot store a value: do not try the same again
    ├── AlreadyThere                  a row of that key exists; raised inside the store only
    ├── Conflict                      the name of a token is taken
    ├── Full                          the tenant has as many tokens as it may
    ├── BadCursor                     the cursor is not from a page of this query
    ├── RangeTooLarge                 the answer would have too many rows
    ├── WorkerEnded                   the process that worked on an answer ended before it was whole
    ├── QuestionTooLarge              too many rows had to be read for a single one of the answer
    ├── AmbiguousOrder  candidates    several orders have that id
    └── BookUnknown          reason   no snapshot reaches that moment, or messages before it were lost
"""

from collections.abc import Sequence
from typing import Any

from millrace_core.errors import MillraceError


class StoreError(MillraceError):
    """Root of the errors of the database. Each can be pickled, whatever its constructor takes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[StoreError], args: tuple[Any, ...], attributes: dict[str, Any]) -> StoreError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class UnsupportedDatabase(StoreError):
    """The address is neither `sqlite:///path` nor `postgresql://…`."""

    def __init__(self, url: str) -> None:
        super().__init__("unsupported database address: use sqlite:///path or postgresql://user@host/name")
        self.url = url


class DatabaseUnavailable(StoreError):
    """The database does not answer. After a failed commit either all of the transaction is stored or nothing.

    A batch may always be committed again: messages that are stored are skipped.
    """


class DatabaseIsNewer(DatabaseUnavailable):
    """A newer version of millrace has changed the tables; this one neither knows them nor changes them back."""

    def __init__(self, revision: str, known: str) -> None:
        super().__init__(
            f"the database has revision {revision}, and this version knows none after {known}: run the version that "
            "made it, or restore a back-up from before"
        )


class ValueRejected(StoreError):
    """The database cannot store a value; nothing of the transaction was stored."""


class Conflict(StoreError):
    """A unique name or key is taken."""


class Full(StoreError):
    """A tenant has as many of something as it may."""


class BadCursor(StoreError):
    """The cursor is not from a page of this query."""

    def __init__(self) -> None:
        super().__init__("invalid cursor: use the next_cursor of a page of the same query, or start without one")


class RangeTooLarge(StoreError):
    """The answer of a query that has no pages would have more rows than allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} rows: choose a shorter time, a longer interval, or fewer markets")


class QuestionTooLarge(StoreError):
    """Too many rows had to be read for the first row of an answer."""

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"one candle is built from more than {rows:,} rows: choose a shorter `interval`, "
            "or `since` and `until` nearer to each other"
        )


class WorkerEnded(StoreError):
    """The process that worked on an answer ended before the answer was whole; its log says why."""

    def __init__(self) -> None:
        super().__init__("the process that worked on the answer ended before it was whole")


class AmbiguousOrder(StoreError):
    """Several orders have this id: exchanges number orders independently, some of them by symbol.

    `candidates` are the exchanges and symbols of those orders.
    """

    def __init__(self, order_id: str, candidates: Sequence[tuple[str, str]]) -> None:
        there = "; ".join(f"{symbol or 'no known symbol'} on {exchange}" for exchange, symbol in candidates)
        super().__init__(f"several orders have the id {order_id}: {there}")
        self.candidates = candidates


class BookUnknown(StoreError):
    """The order book of that moment cannot be rebuilt; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AlreadyThere(StoreError):
    """A row of the same key exists; nothing of the transaction was stored."""
