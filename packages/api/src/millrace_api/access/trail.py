"""Writes the audit trail, and when tokens were used, beside the requests: many rows in one transaction.

No question waits for a row of its own, so a database that can be read but not written serves all of them.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

import structlog

from millrace_store import DatabaseUnavailable, Store, StoreError
from millrace_store.queries.records import AuditEntry

WAIT_S: Final = 0.05
"""How long a change waits for its row; a row that the database does not take in time is written later."""
MAX_WAITING: Final = 10_000
"""Rows that wait for a database that cannot be written; those beyond are in the log instead."""
_ROWS_A_TIME: Final = 500
_RETRY_S: Final = 1.0

log = structlog.get_logger()


class Trail:
    """Rows that wait to be written, and the task that writes them."""

    def __init__(self, store: Store) -> None:
        self._access = store.access
        self._waiting: deque[AuditEntry] = deque()
        self._used: dict[str, int] = {}
        """By token id, when it was last used (ms)."""
        self._added = self._written = 0
        self._news, self._progress = asyncio.Event(), asyncio.Event()

    def add(self, entry: AuditEntry) -> None:
        """Have an entry written within moments."""
        if len(self._waiting) >= MAX_WAITING:
            log.warning("audit: the database takes no rows; this line replaces one", entry=entry)
            return
        self._waiting.append(entry)
        self._added += 1
        self._news.set()

    def token_used(self, token_id: str, at_ms: int) -> None:
        """Have it stored when a token was last used."""
        self._used[token_id] = at_ms
        self._news.set()

    async def settled(self, timeout_s: float = WAIT_S) -> None:
        """Wait until everything that was added so far is written, at most for a time."""
        goal = self._added
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._written < goal:
                    self._progress.clear()
                    await self._progress.wait()

    async def run(self) -> None:
        """Write what is added, until cancelled; then what is left, as far as the database takes it at once."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting or self._used:
                    if not await self._write():
                        await asyncio.sleep(_RETRY_S)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    while (self._waiting or self._used) and await self._write():
                        pass

    async def _write(self) -> bool:
        """Write the oldest entries; return False if the database does not take them now."""
        entries = [self._waiting[at] for at in range(min(_ROWS_A_TIME, len(self._waiting)))]
        used, self._used = self._used, {}
        try:
            await self._access.record(entries, used)
        except DatabaseUnavailable:
            self._used = used | self._used
            return False
        except StoreError as error:
            log.warning("audit: the database refuses rows; this line replaces them", rows=entries, cause=str(error))
        for _ in entries:
            self._waiting.popleft()
        self._written += len(entries)
        self._progress.set()
        return True
