"""The host of a strategy in a backtest: virtual time, and an exchange that is modelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from millrace_backtest.timeline import DueCall, Timeline
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Symbol
from millrace_core.requests import OrderRequest
from millrace_strategy import Event, HookCancelled, StrategyFaulty


class BacktestHost:
    """Implements `millrace_strategy.Host` on a virtual clock. Hooks take no time on it, except for what they await.

    `hooks` are the asynchronous hooks of all strategies that have not returned.
    """

    def __init__(
        self,
        timeline: Timeline,
        hooks: set[asyncio.Task[None]],
        *,
        new_request_id: Callable[[], RequestId],
        send: Callable[[OrderRequest], None],
    ) -> None:
        self._timeline = timeline
        self._hooks = hooks
        self.new_request_id = new_request_id
        self.send = send
        self.call_soon = timeline.soon
        self.errors: list[tuple[int, str, BaseException]] = []
        """When a hook raised (ns), on which event, and what."""
        self.given_up: StrategyFaulty | None = None
        self.unfinished: str | None = None
        """What a hook still waited for at the end, if for long."""
        self.is_ended = False

    def now_ns(self) -> int:
        """Return the virtual time."""
        return self._timeline.now_ns

    def monotonic_ns(self) -> int:
        """Return the virtual time, which never goes back."""
        return self._timeline.now_ns

    def call_later(self, seconds: float, callback: Callable[[], None]) -> DueCall:
        """Call back after a while of virtual time."""
        return self._timeline.at(self._timeline.now_ns + round(seconds * 1_000_000_000), callback)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook."""
        task = asyncio.get_running_loop().create_task(work)
        self._hooks.add(task)
        task.add_done_callback(self._hook_ended)

    def _hook_ended(self, task: asyncio.Task[None]) -> None:
        self._hooks.discard(task)
        if task.cancelled() and not self.is_ended:
            self.gave_up(HookCancelled())

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Do nothing: modelled exchanges report whose an order is."""

    def event_handled(self, event: Event, ns: int) -> None:
        """Do nothing: how long a hook takes here says nothing of how long it takes live."""

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Keep the error."""
        self.errors.append((self._timeline.now_ns, type(event).__name__, error))

    def backlog(self, waiting: int) -> None:
        """Do nothing: only hooks that wait in virtual time can have a backlog."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Keep the reason."""
        self.given_up = error

    def ended(self) -> None:
        """Keep that the strategy's last hook has returned."""
        self.is_ended = True
