"""Limits how long a permanent refusal, such as a key of another type, is retried."""

import time
from typing import Final

from millrace_bus.errors import CommandRefused

LIMIT_S: Final = 3.0
"""How long a permanent refusal may last before it is an error."""
_APART_S: Final = 5.0
"""Refusals farther apart than this are not the same one."""


class RefusalLimit:
    """Measures for how long Redis has refused permanently."""

    def __init__(self) -> None:
        self._since = self._last = float("-inf")

    def check(self, refused: CommandRefused | None) -> None:
        """Return if the command may be tried again.

        Raises:
            CommandRefused: it is permanent and has lasted for `LIMIT_S`.
        """
        if refused is None or not refused.is_permanent:
            return
        now = time.monotonic()
        if now - self._last > _APART_S:
            self._since = now
        self._last = now
        if now - self._since >= LIMIT_S:
            raise refused
