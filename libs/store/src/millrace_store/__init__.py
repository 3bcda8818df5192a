"""The database: schema, migrations, writer and queries, on SQLite and PostgreSQL alike.

    async with Store.open("sqlite:///millrace.db") as store:
        async with store.batch() as batch:                     # one transaction: rows and stream positions
            batch.trades(place, trades)
        page = await store.market.trades(Scope(tenant, exchange=kucoin, symbol=pair), limit=1_000)
        book = await store.market.book(name, at_ms=moment)

See docs/database.md for the tables and what is promised of them.
"""

from millrace_store.errors import (
    AmbiguousOrder,
    BadCursor,
    BookUnknown,
    Conflict,
    DatabaseIsNewer,
    DatabaseUnavailable,
    Full,
    QuestionTooLarge,
    RangeTooLarge,
    StoreError,
    UnsupportedDatabase,
    WorkerEnded,
)
from millrace_store.queries.pages import Page, Scope
from millrace_store.store import Store
from millrace_store.writing.batch import Batch
from millrace_store.writing.retention import Retention
from millrace_store.writing.rows import Place

__all__ = [
    "AmbiguousOrder",
    "BadCursor",
    "Batch",
    "BookUnknown",
    "Conflict",
    "DatabaseIsNewer",
    "DatabaseUnavailable",
    "Full",
    "Page",
    "Place",
    "QuestionTooLarge",
    "RangeTooLarge",
    "Retention",
    "Scope",
    "Store",
    "StoreError",
    "UnsupportedDatabase",
    "WorkerEnded",
]
