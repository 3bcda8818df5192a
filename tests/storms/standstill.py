"""How long the judge itself stood still: it passes frames on, reads and compares in one event loop."""

import asyncio
from typing import Final, NoReturn

_EVERY_S: Final = 0.01


class Standstill:
    """The time that the event loop was late, added up."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._late_s = 0.0
        self._due_s = self._clock()

    @property
    def total_s(self) -> float:
        """Return how late the loop was until now."""
        return self._late_s + max(0.0, self._clock() - self._due_s)

    async def watch(self) -> NoReturn:
        """Add up until cancelled."""
        while True:
            self._due_s = self._clock() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self._late_s = self.total_s
