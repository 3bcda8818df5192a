"""The host of a strategy under test: its clock moves only when it is advanced."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from millrace_core.clock import NS_PER_MS
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Symbol
from millrace_core.requests import OrderRequest
from millrace_strategy.errors import HookCancelled, StrategyFaulty
from millrace_strategy.events import Event

START_MS = 1_763_800_000_000


class _VirtualCall:
    """One scheduled callback of the virtual clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Cancel the callback."""
        self.callback = None


class VirtualHost:
    """A host with a clock that a test advances; requests are collected in a list."""

    def __init__(self, start_ms: int = START_MS, first_number: int = 1) -> None:
        self._now_ns = start_ms * NS_PER_MS
        self._soon: list[Callable[[], None]] = []
        self._scheduled: list[tuple[int, int, _VirtualCall]] = []
        self._numbers = count()
        self._request_numbers = count(first_number)
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[OrderRequest] = []
        self.looked_up: list[tuple[ExchangeId, Symbol | None, str]] = []
        self.errors: list[BaseException] = []
        self.given_up: StrategyFaulty | None = None
        self.is_ended = False

    def now_ns(self) -> int:
        """Return the virtual time."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the virtual time: a hook takes as long as the test lets pass meanwhile."""
        return self._now_ns

    def new_request_id(self) -> RequestId:
        """Return the next of the ids `00…01`, `00…02`, …: the same in every run of a test."""
        return RequestId(f"{next(self._request_numbers):032x}")

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back before the test's current call returns."""
        self._soon.append(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> _VirtualCall:
        """Call back once the clock has been advanced this far."""
        call = _VirtualCall(callback)
        due_ns = self._now_ns + round(seconds * 1_000_000_000)
        heapq.heappush(self._scheduled, (due_ns, next(self._numbers), call))
        return call

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._hook_ended)

    def _hook_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self.errors.append(HookCancelled())

    def send(self, request: OrderRequest) -> None:
        """Collect a request."""
        self.requests.append(request)

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Collect exchange, symbol and id of an order that the runtime asks for."""
        self.looked_up.append((exchange, symbol, order_id))

    def event_handled(self, event: Event, ns: int) -> None:
        """Do nothing: a test decides how long a hook takes."""

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Collect an error."""
        self.errors.append(error)

    def backlog(self, waiting: int) -> None:
        """Do nothing: a test's backlog is intended."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Keep the reason."""
        self.given_up = error

    def ended(self) -> None:
        """Keep that it has ended."""
        self.is_ended = True

    def run(self) -> None:
        """Run all callbacks that are due now."""
        while self._soon:
            soon, self._soon = self._soon, []
            for callback in soon:
                callback()

    def advance(self, ms: float) -> None:
        """Advance the clock, and run each scheduled callback at its time."""
        until = self._now_ns + round(ms * NS_PER_MS)
        while self._scheduled and self._scheduled[0][0] <= until:
            due_ns, _, call = heapq.heappop(self._scheduled)
            self._now_ns = max(self._now_ns, due_ns)
            if call.callback is not None:
                call.callback()
                self.run()
        self._now_ns = until
