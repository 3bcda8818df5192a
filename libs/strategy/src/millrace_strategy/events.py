"""What happens to a strategy: every event that `Strategy.handle` is called with.

All are frozen. What an event carries is as of its moment; what a strategy holds (`books`, `orders`,
`balances`) is as of now, and so may be newer than the event being handled.
"""

from typing import Any

import msgspec

from millrace_core.market import Balances, Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_strategy.timers import Timer
from millrace_strategy.views import LocalBook


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events have."""

    trace: Trace = Trace()
    """When it passed each hop; requests made while it is handled carry it on."""
    timestamp: int | None = None
    """The exchange's own time of it, ms; None where it gives none."""


class BookEvent(_Event, frozen=True, kw_only=True):
    """An order book changed; `book` is live. Those that wait for a slow strategy become one."""

    exchange: ExchangeId
    symbol: Symbol
    book: LocalBook
    changes: int = 1
    """How many changes of the book this event stands for."""


class TradesEvent(_Event, frozen=True, kw_only=True):
    """Trades of the market, oldest first; each comes once."""

    exchange: ExchangeId
    symbol: Symbol
    trades: list[Trade]


class OrderEvent(_Event, frozen=True, kw_only=True):
    """One of the strategy's own orders is new, or changed."""

    exchange: ExchangeId
    order: Order
    """The order after the change, all that is known of it joined."""
    previous: Order | None = None
    """The order before; None when it was not known."""
    request_id: str | None = None
    """The request that made it."""


class BalanceEvent(_Event, frozen=True, kw_only=True):
    """Balances of the account changed."""

    exchange: ExchangeId
    changed: Balances


class ResponseEvent(_Event, frozen=True, kw_only=True):
    """A request of the strategy was answered: finally, or with the provisional `unknown`."""

    exchange: ExchangeId
    action: Action
    symbol: Symbol | None
    response: Response


class StatusEvent(_Event, frozen=True, kw_only=True):
    """Whether a stream can be relied upon changed."""

    exchange: ExchangeId
    action: Action
    symbol: Symbol | None
    status: str
    """`live`, `stale`, `closed` as its writer says; `untrusted` while a gap is being repaired."""
    reason: str | None = None


class StreamEvent(_Event, frozen=True, kw_only=True):
    """News of a subscribed stream that has no event of its own, such as tickers, candles or own trades."""

    exchange: ExchangeId
    action: Action
    symbol: Symbol | None
    data: Any
    """The changes as `millrace_core.market` defines them for the action."""
    state: Any
    """What they add up to: the state of `millrace_core.states`, live."""


class TimerEvent(_Event, frozen=True, kw_only=True):
    """A timer that the strategy set is due."""

    name: str
    due_ms: int
    timer: Timer
    """The timer itself; what it was set to call is called after the hooks."""


class StartEvent(_Event, frozen=True, kw_only=True):
    """The strategy starts: its orders of before are known, books may still be on their way."""


class StopEvent(_Event, frozen=True, kw_only=True):
    """The strategy is about to end; the last moment to cancel its orders."""


Event = (
    BookEvent
    | TradesEvent
    | OrderEvent
    | BalanceEvent
    | ResponseEvent
    | StatusEvent
    | StreamEvent
    | TimerEvent
    | StartEvent
    | StopEvent
)
"""Everything that `Strategy.handle` may be called with."""
