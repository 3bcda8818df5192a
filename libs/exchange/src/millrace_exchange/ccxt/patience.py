"""How long an answer about an account is awaited: what hangs must not keep the truth away for long."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from millrace_exchange.ccxt.recording.sending import Sending

FIRST_S: Final = 5.0
"""How long after a question left its answer may take; longer where the exchange is as slow as that."""
QUESTIONS: Final = frozenset(
    {"fetchBalance", "fetchClosedOrders", "fetchMyTrades", "fetchOpenOrders", "fetchOrder", "fetchPositions"}
)
"""What may be asked again at any time."""


class Patience:
    """Shortens the time limit of questions, from when they left: what waits for its turn before is not late."""

    def __init__(self, first_s: float = FIRST_S) -> None:
        self._first_s = first_s
        self._limits_s: defaultdict[str, float] = defaultdict(lambda: first_s)
        """By action."""

    @contextmanager
    def limiting(self, action: str, limit: asyncio.Timeout, sending: Sending) -> Iterator[None]:
        """Bring a limit forward while a question of an action is under way, each time that it sends something."""
        if action not in QUESTIONS:
            yield
            return
        loop, latest_s, asked_s = asyncio.get_running_loop(), limit.when(), list[float]()

        def asked() -> None:
            asked_s.append(loop.time())
            ends_s = asked_s[-1] + self._limits_s[action]
            limit.reschedule(ends_s if latest_s is None else min(latest_s, ends_s))

        sending.on_asked = asked
        try:
            yield
        except asyncio.CancelledError:
            if asked_s:
                self._limits_s[action] *= 2
            raise
        else:
            if asked_s:
                self._limits_s[action] = max(self._first_s, 2 * (loop.time() - asked_s[-1]))
        finally:
            sending.on_asked = None
