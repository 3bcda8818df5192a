"""The host of a strategy in a replay: it tells the strategy what it was told, and calls it when it was called."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Symbol
from millrace_core.requests import OrderRequest
from millrace_strategy import Event, StrategyFaulty

_TURNS: Final = 3
"""Turns of the loop that tasks of a hook get after each input."""
_MOST_TURNS: Final = 1_000
"""Turns of the loop after which a hook that was to go on waits for something else than it did."""
_LATE_NS: Final = 5_000_000_000
"""A call that is due for so long was not asked for when the run was recorded."""


class _Call:
    """A call that is to come after a while."""

    def __init__(self, after_s: float, due_ns: int, callback: Callable[[], None]) -> None:
        self.after_s, self.due_ns = after_s, due_ns
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Cancel the call."""
        self.callback = None


class ReplayHost:
    """Implements `millrace_strategy.Host`.

    `begin` sets what the run is told until the next input. If the strategy asks for calls that the recorded run did not
    ask for, it is `astray`: from then on calls come when they are due by the recorded clock.
    """

    def __init__(self, send: Callable[[OrderRequest], None]) -> None:
        self.send = send
        self.is_astray = False
        self._clock: deque[int] = deque()
        self._monotonic: deque[int] = deque()
        self._ids: deque[str] = deque()
        self._now_ns = self._now_monotonic_ns = 0
        self._further_ids = 0
        self._soon: deque[Callable[[], None]] = deque()
        self._calls: dict[int, _Call] = {}
        self._call_count = 0
        self._hook: _GatedHook | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, clock: list[int], monotonic: list[int], request_ids: list[str]) -> None:
        """Begin an input with what the run was told while it was handled; what was not asked for is passed over."""
        self._now_ns = self._clock[-1] if self._clock else self._now_ns
        self._now_monotonic_ns = self._monotonic[-1] if self._monotonic else self._now_monotonic_ns
        self._clock, self._monotonic, self._ids = deque(clock), deque(monotonic), deque(request_ids)

    def now_ns(self) -> int:
        """Return the next reading of the recorded clock."""
        if self._clock:
            self._now_ns = self._clock.popleft()
        return self._now_ns

    def last_ns(self) -> int:
        """Return what was read of that clock last; this takes none of its readings."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the next reading of the recorded clock for durations."""
        if self._monotonic:
            self._now_monotonic_ns = self._monotonic.popleft()
        return self._now_monotonic_ns

    def new_request_id(self) -> RequestId:
        """Return the recorded id; of a request that was not made then, another one."""
        if self._ids:
            return RequestId(self._ids.popleft())
        self._further_ids += 1
        return RequestId(f"{self._further_ids:032x}")

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the recorded next turn."""
        self._soon.append(callback)

    def next_turn(self) -> None:
        """Make the oldest call that was to come soon."""
        if self._soon:
            self._soon.popleft()()
        else:
            self.is_astray = True

    def call_later(self, seconds: float, callback: Callable[[], None]) -> _Call:
        """Call back when the recorded call came."""
        call = self._calls[self._call_count] = _Call(seconds, self._now_ns + round(seconds * 1e9), callback)
        self._call_count += 1
        return call

    def call(self, number: int, after_s: float) -> None:
        """Make a recorded call; if none such was asked for now, this run is astray."""
        if self.is_astray:
            return
        call = self._calls.pop(number, None)
        if call is None or call.callback is None or call.after_s != after_s:
            self.is_astray = True
        else:
            call.callback()

    def check_calls(self) -> None:
        """Find out whether a call is asked for that did not come then; astray, make all calls that are due."""
        for number, call in list(self._calls.items()):
            if call.callback is None:
                del self._calls[number]
            elif self.is_astray and call.due_ns <= self._now_ns:
                del self._calls[number]
                call.callback()
            elif call.due_ns + _LATE_NS < self._now_ns:
                self.is_astray = True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook, step by recorded step."""
        self._hook = _GatedHook(work)
        task = asyncio.get_running_loop().create_task(self._hook)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def resume_hook(self) -> None:
        """Let the newest hook make one step; if it waits for something that did not come, this run is astray."""
        hook = self._hook
        if hook is None:
            self.is_astray = True
            return
        hook.may_go_on = True
        for _ in range(_MOST_TURNS):
            await asyncio.sleep(0)
            if not hook.may_go_on:
                return
        hook.may_go_on, self.is_astray = False, True

    async def let_tasks_run(self) -> None:
        """Let tasks that a hook has made go on."""
        for _ in range(_TURNS if self._tasks else 0):
            await asyncio.sleep(0)

    def cancel_hook(self) -> None:
        """Cancel the hooks that have not returned."""
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        """End the hooks that have not returned."""
        if self._hook is not None:
            self._hook.may_go_on = True
        self.cancel_hook()

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Do nothing: what was found is an input."""

    def event_handled(self, event: Event, ns: int) -> None:
        """Do nothing: it took as long as it took then."""

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Do nothing: it is tolerated as it was."""

    def backlog(self, waiting: int) -> None:
        """Do nothing."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Do nothing: the end of the run is an input."""

    def ended(self) -> None:
        """Do nothing."""


class _GatedHook(Coroutine[Any, Any, None]):
    """An asynchronous hook that makes a step only when it may; until then it is asked again every turn of the loop."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self._error: tuple[Any, ...] = ()
        self.may_go_on = False

    def send(self, value: Any) -> Any:
        """Make a step, if it may."""
        if not self.may_go_on:
            return None
        self.may_go_on = False
        if error := self._error:
            self._error = ()
            return self._work.throw(*error)
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """Make a step that begins with an error, if it may."""
        self._error = error
        return self.send(None)

    def close(self) -> None:
        """End it."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._work.__await__()
