"""The virtual clock of a backtest: it moves from event to event, and runs what is due in between. Pure."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

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
        self._numbers = count()
        self._due: list[tuple[int, int, DueCall]] = []
        self._soon: list[Callback] = []

    def at(self, due_ns: int, callback: Callback) -> DueCall:
        """Run a callback at a time, or as soon as possible if that is over."""
        call = DueCall(callback)
        heappush(self._due, (due_ns, next(self._numbers), call))
        return call

    def soon(self, callback: Callback) -> None:
        """Run a callback once the present event is handled."""
        self._soon.append(callback)

    def advance(self, until_ns: int) -> bool:
        """Move on to a time, or tell that something is due before, which `next_due` runs."""
        if self._due and self._due[0][0] <= until_ns:
            return True
        if until_ns > self.now_ns:
            self.now_ns = until_ns
        return False

    def next_due(self, until_ns: int) -> bool:
        """Move to the next callback that is due by then, and run it; False if there is none."""
        due = self._due
        if not due or due[0][0] > until_ns:
            return False
        due_ns, _, call = heappop(due)
        if due_ns > self.now_ns:
            self.now_ns = due_ns
        if call.callback is not None:
            call.callback()
        return True

    def settle(self) -> None:
        """Run what was to run soon, and what that causes."""
        while self._soon:
            soon, self._soon = self._soon, []
            for callback in soon:
                callback()
