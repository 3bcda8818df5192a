"""The virtual clock of a backtest: it moves from event to event, and runs what is due in between. Pure."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final

from millrace_backtest.errors import ClockStuck

MOST_CALLS_AT_ONCE: Final = 1_000_000
"""Callbacks without a step of the clock between them, more than which never end."""

Callback = Callable[[], None]


class DueCall:
    """One callback that is due at a time of the virtual clock."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Cancel the callback."""
        self.callback = None


class Timeline:
    """The virtual clock, in ns since the Unix epoch; one for all strategies and exchanges of a backtest.

    Callbacks of one time run in the order in which they were scheduled.
    """

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.next_ns: float = inf
        """When something is due next."""
        self._numbers = count()
        self._calls_now = 0
        """Callbacks in a row that were due at once."""
        self._due: list[tuple[int, int, DueCall]] = []
        self._soon: deque[Callback] = deque()
        self.soon: Callable[[Callback], None] = self._soon.append
        """Runs a callback once the present event is handled."""

    def at(self, due_ns: int, callback: Callback) -> DueCall:
        """Run a callback at a time, or as soon as possible if that is over."""
        call = DueCall(callback)
        heappush(self._due, (due_ns, next(self._numbers), call))
        self.next_ns = self._due[0][0]
        return call

    def run_next(self) -> None:
        """Move to the callback that is due next, and run it; there must be one.

        Raises:
            ClockStuck: more and more are due at this moment.
        """
        due_ns, _, call = heappop(self._due)
        self.next_ns = self._due[0][0] if self._due else inf
        if due_ns > self.now_ns:
            self.now_ns = due_ns
            self._calls_now = 0
        self._calls_now += 1
        if self._calls_now > MOST_CALLS_AT_ONCE:
            raise ClockStuck
        if call.callback is not None:
            call.callback()

    def settle(self) -> None:
        """Run what was to run soon, and what that causes."""
        soon = self._soon
        while soon:
            soon.popleft()()
