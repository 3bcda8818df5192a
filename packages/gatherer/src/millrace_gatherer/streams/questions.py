"""When the exchange is asked next for what its stream may have lost."""

import asyncio
from typing import Final

ACTIVE_S: Final = 6.0
"""How soon after a message of an account to ask: where one came another may be lost, and nothing shows that."""


class QuestionTimer:
    """Waits until a question is due: on a timer, sooner after a message, and at once when woken."""

    def __init__(self, wake: asyncio.Event, soon_s: float | None) -> None:
        """`soon_s`: how soon after a message a question is due; None where messages do not matter."""
        self._wake, self._soon_s = wake, soon_s
        self._loop = asyncio.get_running_loop()
        self._limit: asyncio.Timeout | None = None
        self._soon_at_s: float | None = None
        """When to ask because of the first message since the last question; None if none has come."""

    def heard(self) -> None:
        """Note a message: ask soon."""
        if self._soon_s is not None and self._soon_at_s is None:
            self._soon_at_s = self._loop.time() + self._soon_s
            self._hurry()

    def asking(self) -> None:
        """Note that the question is asked now: what is heard from here on may not be in its answer."""
        self._wake.clear()
        self._soon_at_s = None

    async def wait(self, pause_s: float | None) -> None:
        """Wait until a question is due, but no longer than this; None for any time."""
        try:
            async with asyncio.timeout(pause_s) as self._limit:
                self._hurry()
                await self._wake.wait()
        except TimeoutError:
            pass
        finally:
            self._limit = None

    def _hurry(self) -> None:
        if self._limit is not None and self._soon_at_s is not None:
            due_s = self._limit.when()
            self._limit.reschedule(self._soon_at_s if due_s is None else min(due_s, self._soon_at_s))
