"""When the exchange is asked next for what its stream may have lost."""

import asyncio
import contextlib
from typing import Final

ACTIVE_S: Final = 6.0
"""How soon after a message of an account to ask: where one came another may be lost, and nothing shows that."""


class QuestionTimer:
    """Waits until a question is due: on a timer, sooner after a message, and at once when woken."""

    def __init__(self, wake: asyncio.Event, soon_s: float | None) -> None:
        """`soon_s`: how soon after a message a question is due; None where messages do not matter."""
        self._wake, self._soon_s = wake, soon_s
        self._due: asyncio.TimerHandle | None = None
        """Wakes for the next question; None if no message calls for one."""
        self._has_heard = False
        """Whether a message has come since the last question."""

    def heard(self) -> None:
        """Note a message: ask soon."""
        self._has_heard = True
        if self._due is None:
            self._wake_soon()

    def asking(self) -> None:
        """Note that the question is asked now: what is heard from here on may not be in its answer.

        After messages it is asked once more: those that were lost may have been the last.
        """
        self._wake.clear()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._has_heard:
            self._has_heard = False
            self._wake_soon()

    async def wait(self, pause_s: float | None) -> None:
        """Wait until a question is due, but no longer than this; None for any time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wake.wait()

    def _wake_soon(self) -> None:
        if self._soon_s is not None:
            self._due = asyncio.get_running_loop().call_later(self._soon_s, self._wake.set)
