"""The port between a running strategy and its surroundings: time, requests, errors.

Magicbox and the test harness each implement it; everything else about a strategy's run is the same in both.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Symbol
from millrace_core.requests import OrderRequest
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.events import Event
from millrace_strategy.timers import ScheduledCall


class Host(Protocol):
    """Where a strategy runs."""

    def now_ns(self) -> int:
        """Return the time since the Unix epoch in ns."""

    def monotonic_ns(self) -> int:
        """Return a time in ns, of no particular origin, that never goes back: for durations."""

    def new_request_id(self) -> RequestId:
        """Return an id that no other request has."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the loop, after all arrived messages were read."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ScheduledCall:
        """Call back after a while."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of an asynchronous hook; never two at once."""

    def send(self, request: OrderRequest) -> None:
        """Send a request to trade, at once and without waiting."""

    def look_up(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Look an order up, and report it to `Runtime.order_found`. Ids may repeat between symbols."""

    def event_handled(self, event: Event, ns: int) -> None:
        """Report that the hooks of an event have returned, and how long they took, waiting included."""

    def hook_failed(self, event: Event, error: BaseException, in_a_row: int) -> None:
        """Report that a hook raised; the strategy continues."""

    def backlog(self, waiting: int) -> None:
        """Report how many events wait for the strategy."""

    def gave_up(self, error: StrategyFaulty) -> None:
        """Report that the strategy is stopped because it exceeded a limit."""

    def ended(self) -> None:
        """Report that the strategy's last hook has returned."""
