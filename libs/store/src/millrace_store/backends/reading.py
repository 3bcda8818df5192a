"""Counts the rows that are read from the database."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

rows_read: Final[ContextVar[Callable[[int], Any] | None]] = ContextVar("rows_read", default=None)
"""Called with the number of rows that were read, whenever some were."""


def note_rows(rows: int) -> None:
    """Count rows that were read."""
    if (count := rows_read.get()) is not None:
        count(rows)
