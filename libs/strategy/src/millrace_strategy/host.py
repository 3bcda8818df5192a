"""What a running strategy needs of the world: time, a way out for requests, somebody to tell of trouble.

Magicbox is the live one; the test harness and the backtest have theirs. Nothing else of a strategy's run differs.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from millrace_core.names import ExchangeId, Symbol
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.events import Event
from millrace_strategy.timers import ScheduledCall
from millrace_strategy.trader import OrderRequest


class Host(Protocol):
    """Where a strategy runs."""

    def now_ns(self) -> int:
        """Return the time since the Unix epoch in ns."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the loop, after what has arrived by then was read."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ScheduledCall:
        """Call back after a while."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook; never two at once."""

    def send(self, request: OrderRequest) -> None:
        """Send a request to trade, at once and without waiting."""

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Find out what is known of an order, and tell it by `Runtime.order_found`; ids repeat between symbols."""

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Take note that a hook raised; the strategy goes on."""

    def backlog(self, waiting: int) -> None:
        """Take note that so many events wait for the strategy."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Take note that the strategy is being stopped for its errors."""

    def ended(self) -> None:
        """Take note that the strategy's last hook has returned."""
