"""The names of all journals, looked up once for all units."""

import asyncio
import time

from millrace_bus import Journals

_FRESH_S = 0.5


class KnownJournals:
    """Gives the names of the journals there are; many may ask in the same moment, Redis is asked once."""

    def __init__(self, journals: Journals) -> None:
        self._journals = journals
        self._lock = asyncio.Lock()
        self._names: set[str] = set()
        self._at = float("-inf")

    async def names(self) -> set[str]:
        """Return the names, half a second old at most."""
        async with self._lock:
            if time.monotonic() - self._at > _FRESH_S:
                self._names = await self._journals.names()
                self._at = time.monotonic()
            return self._names
