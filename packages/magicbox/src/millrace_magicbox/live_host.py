"""The host of a live strategy: this process's event loop and the wall clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from millrace_core.names import ExchangeId, Symbol
from millrace_core.requests import OrderRequest
from millrace_core.strategy_inputs import HookCancelled
from millrace_magicbox.failures import Failures
from millrace_magicbox.hook_times import MAX_EVENT_TEXT, HookTimes
from millrace_magicbox.input_journal import InputJournal
from millrace_service import UnitHealthReporter
from millrace_strategy import Event, ScheduledCall, StrategyFaulty

LOG_EVERY_NS = 1_000_000_000
CUT_LIMIT_S = 1.0
"""How long a hook may take to end once it is cancelled."""


class LiveHost:
    """Implements `millrace_strategy.Host`; `send` and `look_up` are passed in, so that it needs no bus.

    What it tells the strategy, and when it calls it, is in the journal of its inputs.
    """

    def __init__(
        self,
        health: UnitHealthReporter,
        log: Any,
        *,
        send: Callable[[OrderRequest], None],
        look_up: Callable[[ExchangeId, Symbol | None, str], None],
        failures: Failures,
        journal: InputJournal,
    ) -> None:
        self._health = health
        self._log = log
        self._send = send
        self._look_up = look_up
        self._failures = failures
        self._journal = journal
        self.now_ns, self.monotonic_ns, self.new_request_id = (
            journal.now_ns,
            journal.monotonic_ns,
            journal.new_request_id,
        )
        self.times = HookTimes(health, log)
        self.event_handled = self.times.handled
        """Counts how long the hooks of an event took: called for each."""
        self._reported: BaseException | None = None
        self._hook: asyncio.Task[None] | None = None
        self._next_log_ns = 0
        self._unlogged = 0
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._gave_up = asyncio.Event()
        self.faulty: StrategyFaulty | None = None
        """Why the strategy was stopped for exceeding a limit; None if it was not."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the loop."""
        self._loop.call_soon(self._failures.watched(self._journal.soon(callback)))

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ScheduledCall:
        """Call back after a while."""
        return self._loop.call_later(seconds, self._failures.watched(self._journal.later(seconds, callback)))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook."""
        self._hook = self._loop.create_task(self._journal.hook(work), name="hook")
        self._failures.watch(self._hook)

    def send(self, request: OrderRequest) -> None:
        """Send a request with this turn of the loop."""
        self._health.count("requests")
        trace = request.trace
        if trace.delivered is not None and trace.decided is not None:
            self._health.latency("delivered→decided", trace.decided - trace.delivered)
        self._send(request)

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Ask Redis for an order."""
        self._look_up(exchange, symbol, order_id)

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Count the error, and log it with its event, at most one a second."""
        self._health.count("hookErrors")
        now = time.monotonic_ns()
        if now < self._next_log_ns:
            self._unlogged += 1
            return
        self._health.error(error)
        self._reported = error
        text = repr(event)[:MAX_EVENT_TEXT]
        self._log.error("a hook raised", on=text, in_a_row=in_a_row, not_logged_before=self._unlogged, exc_info=error)
        self._next_log_ns, self._unlogged = now + LOG_EVERY_NS, 0

    def backlog(self, waiting: int) -> None:
        """Report that events which may not be dropped pile up."""
        self._health.gauge("waiting", waiting)
        self._health.error(f"{waiting} events are waiting: the strategy is too slow")
        self._log.error("the strategy is too slow", waiting=waiting)

    def gave_up(self, error: StrategyFaulty) -> None:
        """Report that the strategy is stopped; it stays so until it is started again or its configuration changes."""
        self._gave_up.set()
        if error.__cause__ is not None and error.__cause__ is not self._reported:
            self._health.error(error.__cause__)
        self._health.error(error)
        self._health.state("stopped", str(error))
        self._log.error("strategy stopped", reason=str(error), exc_info=error.__cause__)

    def ended(self) -> None:
        """Wake what waits in `over`."""
        self._over.set()

    async def fault(self) -> None:
        """Wait until the strategy is stopped for exceeding a limit."""
        await self._gave_up.wait()

    async def over(self) -> None:
        """Wait until the strategy's last hook has returned."""
        await self._over.wait()

    async def cut_short(self) -> None:
        """Cancel a hook that does not return, which is no failure of the run; no other hook is called after it."""
        self._over.set()
        await self.cancel_hook()

    async def cancel_hook(self) -> None:
        """Cancel a hook that does not return, which is no failure of the run."""
        hook, self._hook = self._hook, None
        if hook is None or hook.done():
            return
        self._failures.unwatch(hook)
        self._journal.take(HookCancelled())
        hook.cancel()
        await asyncio.wait([hook], timeout=CUT_LIMIT_S)
        if not hook.done():
            self._log.error("a hook goes on although it was cancelled", limit_s=CUT_LIMIT_S)
        elif not hook.cancelled() and (error := hook.exception()) is not None:
            self._log.error("a hook raised when it was cancelled", exc_info=error)
