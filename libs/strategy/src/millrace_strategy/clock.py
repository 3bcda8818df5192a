"""The time as a strategy knows it: the wall clock when live, the tape's time in a test or backtest."""

import asyncio

from millrace_core.clock import Clock
from millrace_strategy.timers import CallLater


class StrategyClock:
    """The only clock that a strategy should ask."""

    def __init__(self, now_ns: Clock, call_later: CallLater) -> None:
        self._now_ns = now_ns
        self._call_later = call_later

    def now_ns(self) -> int:
        """Return the time since the Unix epoch in ns."""
        return self._now_ns()

    def now_ms(self) -> int:
        """Return the time since the Unix epoch in ms."""
        return self._now_ns() // 1_000_000

    async def sleep(self, ms: float) -> None:
        """Wait by this clock; meanwhile the strategy's other events wait too, so prefer a timer."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self._call_later(ms / 1_000, lambda: None if over.done() else over.set_result(None))
        try:
            await over
        finally:
            alarm.cancel()
