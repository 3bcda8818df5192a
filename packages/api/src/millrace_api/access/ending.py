"""A block that can be ended from outside, at its next wait."""

import asyncio
from types import TracebackType
from typing import Self


class Ending:
    """Ends its block when `end` is called; what follows the block goes on."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)

    @property
    def has_ended(self) -> bool:
        """Tell whether the block was ended from outside."""
        return self._timeout.expired()

    def end(self) -> None:
        """End the block; harmless if it is ending already."""
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            return True
        return False
