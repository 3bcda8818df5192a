"""What can go wrong with the database.

MillraceError
└── StoreError
    ├── UnsupportedDatabase  url      the address names neither SQLite nor PostgreSQL
    ├── DatabaseUnavailable           it does not answer, or is shutting down: try again later
    ├── ValueRefused                  it cannot hold something that it was given: the same again is refused again
    ├── AlreadyThere                  a row of that key is there; inside the store only
    ├── Conflict                      another holds this already: an idempotency key, a token's name
    ├── BadCursor                     a cursor that no page of this query gave
    ├── AmbiguousOrder  candidates    several orders have that number
    └── BookUnknown          reason   no snapshot reaches that moment, or messages before it were lost
"""

from collections.abc import Sequence

from millrace_core.errors import MillraceError


class StoreError(MillraceError):
    """Root of what the database refuses."""


class UnsupportedDatabase(StoreError):
    """An address names neither `sqlite:///path` nor `postgresql://…`."""

    def __init__(self, url: str) -> None:
        super().__init__("a database is named by sqlite:///path or postgresql://user@host/name")
        self.url = url


class DatabaseUnavailable(StoreError):
    """The database does not answer; nothing of the transaction is in it, or, if this came from a commit, all or none.

    A batch may always be tried again whole: what was stored already is skipped.
    """


class ValueRefused(StoreError):
    """The database cannot hold something that it was given; nothing of the transaction was kept."""


class Conflict(StoreError):
    """Another holds this already."""


class BadCursor(StoreError):
    """A cursor is none that a page of this query gave."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one that a page of this query gave; start without one")


class AmbiguousOrder(StoreError):
    """Several orders have this number: exchanges number them each for itself, some even those of each symbol.

    `candidates` are their exchanges and symbols.
    """

    def __init__(self, order_id: str, candidates: Sequence[tuple[str, str]]) -> None:
        there = "; ".join(f"{symbol or 'no known symbol'} on {exchange}" for exchange, symbol in candidates)
        super().__init__(f"several orders have the number {order_id}: {there}")
        self.candidates = candidates


class BookUnknown(StoreError):
    """The order book of that moment cannot be rebuilt; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AlreadyThere(StoreError):
    """A row of the same key is there already; nothing of the transaction was kept."""
