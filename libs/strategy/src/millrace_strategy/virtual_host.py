"""A host whose clock only moves when it is turned: tests and backtests run strategies on it."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from millrace_core.names import ExchangeId, Symbol
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.events import Event
from millrace_strategy.trader import OrderRequest

START_MS = 1_763_800_000_000


class _Alarm:
    """One callback of the virtual clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Let it not happen."""
        self.callback = None


class VirtualHost:
    """A host whose clock stands still until it is turned, and whose requests go nowhere but into a list."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._now_ns = start_ms * 1_000_000
        self._soon: list[Callable[[], None]] = []
        self._alarms: list[tuple[int, int, _Alarm]] = []
        self._order_of_alarms = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[OrderRequest] = []
        self.looked_up: list[str] = []
        self.errors: list[BaseException] = []
        self.given_up: StrategyFaulty | None = None
        self.is_ended = False

    def now_ns(self) -> int:
        """Return the virtual time."""
        return self._now_ns

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back before the call from outside that is being served returns."""
        self._soon.append(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> _Alarm:
        """Call back when the clock has been turned so far."""
        alarm = _Alarm(callback)
        due_ns = self._now_ns + round(seconds * 1_000_000_000)
        heapq.heappush(self._alarms, (due_ns, next(self._order_of_alarms), alarm))
        return alarm

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, request: OrderRequest) -> None:
        """Note a request."""
        self.requests.append(request)

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Note that the strategy's runtime wants to know of an order."""
        self.looked_up.append(order_id)

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Note an error."""
        self.errors.append(error)

    def backlog(self, waiting: int) -> None:
        """Do nothing: a test's backlog is meant."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Note the end by errors."""
        self.given_up = error

    def ended(self) -> None:
        """Note the end."""
        self.is_ended = True

    def run(self) -> None:
        """Do what is to be done now."""
        while self._soon:
            soon, self._soon = self._soon, []
            for callback in soon:
                callback()

    def turn_clock(self, ms: float) -> None:
        """Let time pass, each alarm at its time."""
        until = self._now_ns + round(ms * 1_000_000)
        while self._alarms and self._alarms[0][0] <= until:
            due_ns, _, alarm = heapq.heappop(self._alarms)
            self._now_ns = max(self._now_ns, due_ns)
            if alarm.callback is not None:
                alarm.callback()
                self.run()
        self._now_ns = until
