"""The class that every strategy derives from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from millrace_core.config.common import ConfigModel
from millrace_core.config.reading import problems_of
from millrace_core.errors import ConfigInvalid
from millrace_strategy.events import (
    BalanceEvent,
    BookEvent,
    Event,
    OrderEvent,
    ResponseEvent,
    StartEvent,
    StatusEvent,
    StopEvent,
    StreamEvent,
    TimerEvent,
    TradesEvent,
)
from millrace_strategy.orders import Orders
from millrace_strategy.timers import Callback, StrategyClock, Timer, Timers
from millrace_strategy.trader import Trader
from millrace_strategy.views import AccountBalances, Books, Feed

HookResult = Awaitable[None] | None
"""A hook may be an ordinary function or an `async` one. The ordinary is the quicker."""


class StrategyConfiguration(ConfigModel):
    """What a strategy's `Configuration` may derive from: frozen, camelCase in JSON, unknown fields are errors.

    A dataclass or a pydantic model of another making will do as well.
    """


def read_configuration(model: type[Any], values: dict[str, Any], *, path: str = "$") -> Any:
    """Return a strategy's settings, checked; `path` is where they stand in the agent's configuration.

    Raises:
        ConfigInvalid: they break the model's rules; every mistake is named with its path.
    """
    try:
        return TypeAdapter(model).validate_python(values)
    except ValidationError as error:
        raise ConfigInvalid(tuple(problems_of(error, path))) from error


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a strategy is given to work with."""

    name: str
    configuration: Any
    feeds: tuple[Feed, ...]
    books: Books
    orders: Orders
    balances: AccountBalances
    trader: Trader
    timers: Timers
    clock: StrategyClock
    log: Any


class Strategy:
    """A trading strategy: override `handle`, or the hooks for what it wants to know of, or both.

    For each event `handle` is called first, then the event's own hook; one event after another, never two
    at once. While a hook runs the books, orders and balances go on being updated, and the events of one
    order book that wait become one; all others come once each, in order.

    A hook that raises is logged and counted, and the strategy goes on with the next event; after
    `tolerated_errors` in a row it is stopped.
    """

    Configuration: ClassVar[type[Any]] = StrategyConfiguration
    """Its settings: a pydantic model or a dataclass. They are checked before the strategy is made."""
    tolerated_errors: int = 10
    """After how many events in a row that raised it is given up."""

    def __init__(self, context: Context) -> None:
        self.name = context.name
        """What its orders carry as their source."""
        self.configuration: Any = context.configuration
        """An instance of `Configuration`."""
        self.feeds = context.feeds
        """The streams that it is subscribed to."""
        self.books = context.books
        """Live order books, by exchange and symbol or by feed."""
        self.orders = context.orders
        """Its own orders by id."""
        self.balances = context.balances
        """The account's balances by exchange."""
        self.trader = context.trader
        """Places, cancels and edits orders."""
        self.clock = context.clock
        self.log = context.log
        """A structlog logger that says whose line it is."""
        self._timers = context.timers

    @property
    def open_order_ids(self) -> list[str]:
        """Return the ids of its open orders, oldest known first."""
        return self.orders.open_ids

    def after(self, ms: int, callback: Callback | None = None, *, name: str | None = None) -> Timer:
        """Be called once in `ms`: `handle` and `on_timer` with a `TimerEvent`, then `callback`."""
        return self._timers.after(ms, callback, name)

    def every(self, ms: int, callback: Callback | None = None, *, name: str | None = None) -> Timer:
        """Be called every `ms`, as by `after`; beats missed by a slow hook are skipped.

        Raises:
            ValueError: `ms` is not above 0.
        """
        return self._timers.every(ms, callback, name)

    def handle(self, event: Event) -> HookResult:
        """Take any event."""

    def on_start(self, event: StartEvent) -> HookResult:
        """Take the start: orders of an earlier life are in `orders`."""

    def on_stop(self, event: StopEvent) -> HookResult:
        """Take the end: what is sent here still goes out, but no answer comes."""

    def on_order_book(self, event: BookEvent) -> HookResult:
        """Take a change of an order book."""

    def on_trades(self, event: TradesEvent) -> HookResult:
        """Take trades of the market."""

    def on_order(self, event: OrderEvent) -> HookResult:
        """Take news of one of its orders."""

    def on_balance(self, event: BalanceEvent) -> HookResult:
        """Take changes of balances."""

    def on_response(self, event: ResponseEvent) -> HookResult:
        """Take the answer to one of its requests."""

    def on_timer(self, event: TimerEvent) -> HookResult:
        """Take a timer that is due."""

    def on_status(self, event: StatusEvent) -> HookResult:
        """Take a stream's becoming reliable, or ceasing to be."""

    def on_stream(self, event: StreamEvent) -> HookResult:
        """Take news of a stream that has no hook of its own."""


Hook = Callable[[Any], HookResult]

_HOOKS: dict[type[Any], str] = {
    StartEvent: "on_start",
    StopEvent: "on_stop",
    BookEvent: "on_order_book",
    TradesEvent: "on_trades",
    OrderEvent: "on_order",
    BalanceEvent: "on_balance",
    ResponseEvent: "on_response",
    TimerEvent: "on_timer",
    StatusEvent: "on_status",
    StreamEvent: "on_stream",
}


def hooks_of(strategy: Strategy) -> dict[type[Any], tuple[Hook, ...]]:
    """Return what to call for each kind of event: only what the strategy overrides."""

    def overridden(name: str) -> bool:
        return getattr(type(strategy), name) is not getattr(Strategy, name)

    return {
        kind: tuple(getattr(strategy, hook) for hook in ("handle", name) if overridden(hook))
        for kind, name in _HOOKS.items()
    }
