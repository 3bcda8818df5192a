"""How events reach a strategy's hooks: one at a time, at once when it is idle, the newest book when it is not.

Latency comes first: an event that finds the strategy idle is handled within the call that brings it, so the requests of
an ordinary hook are sent in the same turn of the event loop. Only one such burst is allowed in a turn: otherwise a slow
hook, called for each message of a chunk that was read at once, would act on old books.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from inspect import isawaitable
from typing import Final, Literal

from millrace_core.config.magicbox import StrategyLimits
from millrace_core.trace import NO_TRACE
from millrace_strategy.circuit_breaker import CircuitBreaker
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.events import Event, ResponseEvent, StartEvent, StopEvent, TimerEvent
from millrace_strategy.host import Host
from millrace_strategy.inbox import Inbox
from millrace_strategy.strategy import HOOK_NAMES, Hook, HookResult, Strategy, hooks_of
from millrace_strategy.trader import Trader

TURN_NS = 1_000_000
"""How long a strategy may keep the loop before newly arrived messages are read. A hook is never interrupted."""


_RETURNED: Final = "a hook returned {}: an ordinary one returns nothing, an `async` one yields nothing"
_NO_LIMIT: Final = 1 << 63
"""ns: longer than anything lasts."""


class Dispatcher:
    """Calls one strategy's hooks. Nothing is handled before `start`, nor after `stop`."""

    def __init__(
        self,
        strategy: Strategy,
        trader: Trader,
        host: Host,
        limits: StrategyLimits,
        *,
        handled: Callable[[], None],
        gave_up: Callable[[StrategyFaulty], None],
        ended: Callable[[], None],
        starts_without_error: bool = False,
    ) -> None:
        self._strategy = strategy
        self._hooks = hooks_of(strategy)
        self._trader = trader
        self._host = host
        self._now_ns, self._call_soon, self._event_handled = host.monotonic_ns, host.call_soon, host.event_handled
        self._after_event = handled
        self._gave_up = gave_up
        self._ended = ended
        self._starts_without_error = starts_without_error
        self._inbox = Inbox()
        self._waiting = self._inbox.entries
        self._errors: list[BaseException] = []
        """What the hooks of the present event raised."""
        self._breaker = CircuitBreaker(strategy.name, limits)
        self._limit_ns = _NO_LIMIT if self._breaker.event_limit_ns is None else self._breaker.event_limit_ns
        self._state: Literal["new", "holding", "running", "stopping", "ended"] = "new"
        self._is_busy = False
        self._waiting_hook: tuple[Event, int] | None = None
        self._is_turn_taken = False

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is being handled and nothing waits."""
        return not self._is_busy and not self._inbox

    @property
    def waiting(self) -> int:
        """Return how many events wait."""
        return len(self._inbox)

    @property
    def unfinished(self) -> tuple[Event, int] | None:
        """Return the event whose hook waits for something, and for how long in ns; None if there is none."""
        if self._waiting_hook is None:
            return None
        event, started_ns = self._waiting_hook
        return event, self._now_ns() - started_ns

    def hold(self) -> None:
        """Keep events from now on; they are handled after `start`."""
        self._state = "holding"

    def start(self, event: Event, waiting: Iterable[Event] = ()) -> None:
        """Handle the first event, then those that waited for another instance or were held; take others from now on."""
        if self._state not in ("new", "holding"):
            return  # It was stopped before its predecessor had ended.
        held = self._inbox.take_all()
        for each in (event, *waiting, *held):
            self._inbox.put(each)
        self._state = "running"
        if not self._is_turn_taken:
            self._work(self._inbox.take())

    def take_waiting(self) -> list[Event]:
        """Return the events that wait, which are not handled here any more."""
        return self._inbox.take_all()

    def offer(self, event: Event) -> None:
        """Take an event. If the strategy is idle, it is handled before this returns."""
        state = self._state
        if state == "running" and not (self._is_busy or self._is_turn_taken or self._waiting):
            self._work(event)
        elif state in ("running", "holding") and self._inbox.put(event):
            self._host.backlog(len(self._inbox))

    def stop(self, event: StopEvent) -> None:
        """Take no more events; handle this last one once a hook that still runs has returned."""
        if self._state in ("stopping", "ended"):
            return
        was_started = self._state == "running"
        self._state = "stopping"
        self._inbox.clear()
        if not was_started:
            self._end()
            return
        if self._is_busy:
            self._inbox.put(event)
        else:
            self._work(event)

    def _work(self, event: Event | None) -> None:
        """Handle an event and those that wait, for the rest of a turn or until a hook waits for something."""
        if not self._is_turn_taken:
            self._is_turn_taken = True
            self._call_soon(self._next_turn)
        until, now_ns = 0, self._now_ns
        while event is not None:
            # Busy from here on: a hook may cause events before it returns.
            self._is_busy = True
            kind = type(event)
            hooks = self._hooks[kind]
            if self._strategy.has_parts or kind is TimerEvent:
                hooks = self._hooks_for(event, hooks)
            # An answer carries the trace of its request, which must not go on in what the answer causes.
            self._trader.cause = NO_TRACE if kind is ResponseEvent else event.trace
            rest = iter(hooks)
            started_ns = now_ns()
            until = until or started_ns + TURN_NS
            if hooks and (pending := self._call(rest, event)) is not None:
                self._waiting_hook = event, started_ns
                self._host.spawn(self._finish(pending, rest, event, started_ns))
                return
            self._is_busy = False
            ended_ns = now_ns()
            self._handled(event, ended_ns - started_ns if hooks else None)
            if ended_ns >= until:
                return
            event = self._inbox.take() if self._waiting else None

    def _next_turn(self) -> None:
        self._is_turn_taken = False
        if self._waiting and not self._is_busy:
            self._work(self._inbox.take())

    def _hooks_for(self, event: Event, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
        """Return what is called for an event: parts, then hooks, then the timer's own callback."""
        if self._strategy.has_parts:
            hooks = (*self._strategy.parts(type(event)), *hooks)
        if not isinstance(event, TimerEvent):
            return hooks
        event.timer.is_waiting = False
        if event.timer.is_cancelled:
            return ()
        callback = event.timer.callback
        return hooks if callback is None else (*hooks, lambda _: callback())

    def _call(self, hooks: Iterator[Hook], event: Event) -> HookResult:
        """Call hooks until one returns an awaitable, and return that; None if none does."""
        for hook in hooks:
            try:
                pending = hook(event)
            except BaseException as error:  # noqa: BLE001 (a faulty strategy must not affect the others)
                self._catch(error)
            else:
                if pending is not None:
                    if isawaitable(pending):
                        return pending
                    self._catch(TypeError(_RETURNED.format(type(pending).__name__)))
        return None

    def _catch(self, error: BaseException) -> None:
        """Keep what a hook raised; what concerns the process is raised again.

        That is an interrupt, and the cancellation of the task itself.
        """
        if isinstance(error, KeyboardInterrupt | GeneratorExit) or _is_own_cancellation(error):
            raise error
        self._errors.append(error)

    async def _finish(
        self, pending: Awaitable[None] | None, hooks: Iterator[Hook], event: Event, started_ns: int
    ) -> None:
        limit, limit_ns = asyncio.timeout(None), self._breaker.event_limit_ns
        while pending is not None:
            try:
                await (pending if limit_ns is None else self._within(limit, pending, started_ns + limit_ns))
            except BaseException as error:  # noqa: BLE001 (a faulty strategy must not affect the others)
                self._catch(error)
            pending = None if limit.expired() else self._call(hooks, event)
            limit = asyncio.timeout(None) if pending is not None else limit
        self._is_busy, self._waiting_hook = False, None
        took_ns = self._now_ns() - started_ns
        # The timer may have been a little early.
        self._handled(event, max(took_ns, (limit_ns or 0) + 1) if limit.expired() else took_ns)
        if self._waiting and not self._is_busy:
            self._work(self._inbox.take())

    async def _within(self, limit: asyncio.Timeout, pending: Awaitable[None], end_ns: int) -> None:
        """Await a hook; at its limit, by the host's clock, it is cut off where it waits, with `TimeoutError`."""
        loop = asyncio.get_running_loop()
        async with limit:
            left_s = max((end_ns - self._now_ns()) / 1e9, 0.0)
            cut_off = self._host.call_later(left_s, lambda: limit.reschedule(loop.time()))
            try:
                await pending
            finally:
                cut_off.cancel()

    def _handled(self, event: Event, ns: int | None) -> None:
        """Report an event that took so long; None if it has no hooks."""
        self._after_event()
        if ns is not None:
            self._event_handled(event, ns)
        if self._errors or isinstance(event, StopEvent) or (ns is not None and ns > self._limit_ns):
            self._judge(event, ns)
        else:
            self._breaker.errors_in_a_row = 0

    def _judge(self, event: Event, ns: int | None) -> None:
        """Report what the hooks of an event raised, and stop the strategy if it exceeds a limit."""
        errors, fault = self._errors, None
        if errors:
            self._errors = []
            tolerated = self._strategy.tolerated_errors
            fault = self._breaker.failed(errors, self._now_ns(), tolerated=tolerated)
            if isinstance(event, StartEvent) and self._starts_without_error:
                fault = self._breaker.start_failed(errors)
        else:
            self._breaker.errors_in_a_row = 0
        if ns is not None:
            fault = self._breaker.took(HOOK_NAMES[type(event)], ns, errors) or fault
        for error in errors:
            self._host.hook_failed(event, error, self._breaker.errors_in_a_row)
        if isinstance(event, StopEvent):
            self._end()
        elif fault is not None and self._state == "running":
            self._gave_up(fault)

    def _end(self) -> None:
        self._state = "ended"
        self._inbox.clear()
        self._ended()


def _is_own_cancellation(error: BaseException) -> bool:
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # Without a loop, as in a test, nothing can have been cancelled.
        return False
    return task is not None and task.cancelling() > 0
