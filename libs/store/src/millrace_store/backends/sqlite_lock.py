"""The lock of a SQLite file, for which several processes take turns."""

import sqlite3
import time
from typing import Final

_ASK_EVERY_S: Final = 0.002
"""SQLite itself asks less often the longer it has waited: the process that came last is served first, and of several
busy ones the unlucky wait for seconds. Asking at a constant rate gives all of them the same chance."""


def begin(raw: sqlite3.Connection, within_s: float) -> None:
    """Begin a transaction that writes as soon as no other process writes.

    Raises:
        OperationalError: another process has written for the whole time limit.
    """
    raw.execute("PRAGMA busy_timeout=0")
    try:
        once_free(raw, "BEGIN IMMEDIATE", within_s)
    finally:
        raw.execute(f"PRAGMA busy_timeout={int(within_s * 1_000)}")


def once_free(raw: sqlite3.Connection, statement: str, within_s: float) -> None:
    """Execute a statement as soon as no other process holds the lock that it needs.

    Raises:
        OperationalError: another process has held it for the whole time limit.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_ASK_EVERY_S)
        else:
            return


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another process holds a lock."""
    # The low byte of an extended code is the code; errors that Python raises by itself have none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
