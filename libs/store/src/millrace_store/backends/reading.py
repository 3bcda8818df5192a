"""What is read of the database, told to whoever counts it."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

rows_read: Final[ContextVar[Callable[[int], Any] | None]] = ContextVar("rows_read", default=None)
"""Called with the number of rows that were read, whenever some were."""


def note_rows(rows: int) -> None:
    """Tell that rows were read."""
    if (told := rows_read.get()) is not None:
        told(rows)
