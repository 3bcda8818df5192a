"""Histories by the million: streamed in constant memory, as Parquet or CSV."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from millrace_store.database import Database
from millrace_store.scope import Scope

Kind = Literal[
    "trades",
    "bookDeltas",
    "snapshots",
    "tickers",
    "candles",
    "ownTrades",
    "orders",
    "orderEvents",
    "balances",
    "events",
    "requests",
    "responses",
    "failedExecutions",
    "gaps",
]
"""The histories that can be exported."""
Format = Literal["parquet", "csv"]


class Exports:
    """Writes histories out, ordered by stream and time. Decimals are text in both: no digit is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, kind: Kind, scope: Scope) -> int:
        """Give how many rows an export will have: for a progress bar."""
        raise NotImplementedError

    def stream(self, kind: Kind, scope: Scope, form: Format) -> AsyncIterator[bytes]:
        """Give the file's bytes piece by piece; closing the iterator early ends the query."""
        raise NotImplementedError

    def write(self, kind: Kind, scope: Scope, form: Format, path: Path) -> AsyncIterator[int]:
        """Write the file, giving how many rows are written so far after each piece."""
        raise NotImplementedError
