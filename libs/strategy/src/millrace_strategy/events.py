"""The events that a strategy is called with.

All are frozen. An event carries the state of its moment; the strategy's `books`, `orders` and `balances` show the
current state, and so may be newer than the event being handled.
"""

from typing import Any

import msgspec

from millrace_core.market import Balances, Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.trace import Trace
from millrace_strategy.orders import StrategyOrder
from millrace_strategy.timers import Timer
from millrace_strategy.views import LocalBook


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of all events."""

    trace: Trace = Trace()
    """When it passed each hop; requests made while it is handled carry this trace."""
    timestamp: int | None = None
    """The exchange's own time, ms; None if it has none."""


class BookEvent(_Event, frozen=True, kw_only=True):
    """An order book changed; `book` is live. Events that wait for a slow strategy are merged into one."""

    exchange: ExchangeId
    symbol: Symbol
    book: LocalBook
    changes: int = 1
    """Number of changes that this event stands for."""


class TradesEvent(_Event, frozen=True, kw_only=True):
    """Trades on the market, oldest first, each once."""

    exchange: ExchangeId
    symbol: Symbol
    trades: list[Trade]


class OrderEvent(_Event, frozen=True, kw_only=True):
    """One of the strategy's own orders is new, or changed."""

    exchange: ExchangeId
    order: StrategyOrder
    """The order after the change, joined from all reports."""
    previous: StrategyOrder | None = None
    """The order before; None if it was not known."""


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
    """The status of a stream changed."""

    exchange: ExchangeId
    action: Action
    symbol: Symbol | None
    status: str
    """`live`, `unverified`, `stale` or `closed` from its writer; `dead` after silence; `untrusted` while a gap is being
    repaired."""
    reason: str | None = None


class StreamEvent(_Event, frozen=True, kw_only=True):
    """A subscribed stream without an event of its own changed, such as tickers, candles or own trades."""

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
    """The timer; its callback is called after the hooks."""


class StartEvent(_Event, frozen=True, kw_only=True):
    """The strategy starts: its orders of earlier runs are known, books may not have arrived yet."""


class StopEvent(_Event, frozen=True, kw_only=True):
    """The strategy ends; this is the last moment to cancel its orders."""


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
"""Any event that `Strategy.handle` is called with."""
