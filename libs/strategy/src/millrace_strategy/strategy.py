"""The class that every strategy derives from, and its settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from millrace_core.config.common import ConfigModel
from millrace_core.config.reading import problems_of
from millrace_core.errors import ConfigInvalid, Problem
from millrace_strategy.events import (
    BalanceEvent,
    BidsAsksEvent,
    BookEvent,
    CandlesEvent,
    Event,
    ExchangePositionsEvent,
    FillEvent,
    FundingRateEvent,
    LiquidationsEvent,
    MarkPriceEvent,
    OpenInterestEvent,
    OrderEvent,
    OwnTradesEvent,
    ResponseEvent,
    StartEvent,
    StatusEvent,
    StopEvent,
    TickerEvent,
    TimerEvent,
    TradesEvent,
)
from millrace_strategy.market_history import MarketCandles, MarketTrades
from millrace_strategy.markets import Markets
from millrace_strategy.orders import StrategyOrders
from millrace_strategy.positions import StrategyPositions
from millrace_strategy.state import StrategyState
from millrace_strategy.timers import Callback, StrategyClock, Timer, Timers
from millrace_strategy.trader import Trader
from millrace_strategy.views import AccountBalances, Books, SubscribedStream

HookResult = Awaitable[None] | None
"""A hook may be an ordinary function, which is faster, or an `async` one."""


class StrategyConfiguration(ConfigModel):
    """Base of a strategy's `Configuration`: frozen, camelCase in JSON, unknown fields are errors.

    Any other pydantic model or a dataclass works too. Give each number finite bounds.
    """


def read_configuration(model: type[Any], values: dict[str, Any], *, path: str = "$") -> Any:
    """Return a strategy's settings, checked; `path` is their place in the agent's configuration.

    Raises:
        ConfigInvalid: they break the model's rules; every mistake is named with its path.
    """
    try:
        return TypeAdapter(model).validate_python(values)
    except ValidationError as error:
        raise ConfigInvalid(tuple(problems_of(error, model, path))) from error
    except PydanticUserError as error:
        why = f"`Configuration` is no model that pydantic can check: {str(error).splitlines()[0]}"
        raise ConfigInvalid((Problem(path, why),)) from error


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything that a strategy works with."""

    name: str
    configuration: Any
    streams: tuple[SubscribedStream, ...]
    books: Books
    markets: Markets
    orders: StrategyOrders
    balances: AccountBalances
    positions: StrategyPositions
    trades: MarketTrades
    candles: MarketCandles
    state: StrategyState
    plot: Callable[[str, float], None]
    trader: Trader
    timers: Timers
    clock: StrategyClock
    log: Any


Part = Callable[[Event], None]
"""A part of a strategy, which is called before its hooks."""


class Strategy:
    """A trading strategy: override `handle`, the hooks for the events of interest, or both.

    For each event `handle` is called first, then the event's own hook. Events come one at a time. While a hook runs,
    books, orders and balances are still updated, and waiting events of one order book are merged into one; all other
    events come once each, in order.

    An error in a hook is logged and counted, and the strategy continues with the next event; after `tolerated_errors`
    events in a row that raised, or more errors in a minute than its configured `limits` tolerate, it is stopped.
    """

    Configuration: ClassVar[type[Any]] = StrategyConfiguration
    """Its settings: a pydantic model or a dataclass. They are checked before the strategy is created."""
    tolerated_errors: int = 10
    """Number of events in a row that raise, after which it is stopped."""

    def __init__(self, context: Context) -> None:
        self.name = context.name
        """The source that its orders carry."""
        self.configuration: Any = context.configuration
        """An instance of `Configuration`."""
        self.streams = context.streams
        """The streams that it is subscribed to."""
        self.books = context.books
        """Live order books, by exchange and symbol or by subscribed stream."""
        self.markets = context.markets
        """What its markets' exchanges take: ticks, steps and least sizes, by exchange and symbol."""
        self.orders = context.orders
        """Its own orders; `orders.open` are the open ones."""
        self.balances = context.balances
        """The account's balances by exchange."""
        self.positions = context.positions
        """What its own fills add up to, by exchange and symbol."""
        self.trades = context.trades
        """The newest market trades, by exchange and symbol."""
        self.candles = context.candles
        """The newest candles, by exchange, symbol and timeframe: the feed's, else built from trades."""
        self.state = context.state
        """A small JSON document that outlives restarts; as it was left in `on_start`, still empty in `__init__`."""
        self.trader = context.trader
        """Places, cancels and edits orders."""
        self.clock = context.clock
        self.log = context.log
        """A structlog logger that says whose line it is; the console shows the newest lines."""
        self._timers = context.timers
        self._plot = context.plot
        self.has_parts = False
        """Whether parts are attached."""
        self._parts: tuple[tuple[Part, tuple[type[Any], ...]], ...] = ()
        self._parts_of: dict[type[Any], tuple[Part, ...]] = {}

    def after(self, ms: int, callback: Callback | None = None, *, name: str | None = None) -> Timer:
        """Set a timer: in `ms`, `handle` and `on_timer` are called with a `TimerEvent`, then `callback`."""
        return self._timers.after(ms, callback, name)

    def every(self, ms: int, callback: Callback | None = None, *, name: str | None = None) -> Timer:
        """Set a timer that repeats every `ms`; calls that a slow hook missed are skipped.

        Raises:
            ValueError: `ms` is not above 0.
        """
        return self._timers.every(ms, callback, name)

    def plot(self, name: str, value: float | Decimal) -> None:
        """Show a value over time on the console: under 16 names at most, each in some 400 points."""
        self._plot(name, float(value))

    def attach(self, part: Part, *kinds: type[Any]) -> None:
        """Have a part of the strategy called before its hooks, with every event or those of some kinds.

        Parts that were attached earlier come first.
        """
        self._parts, self._parts_of, self.has_parts = (*self._parts, (part, kinds)), {}, True

    def detach(self, part: Part) -> None:
        """Call a part no more."""
        self._parts, self._parts_of = tuple(each for each in self._parts if each[0] != part), {}
        self.has_parts = bool(self._parts)

    def parts(self, kind: type[Any]) -> tuple[Part, ...]:
        """Return the parts that are called with a kind of event, in their order."""
        found = self._parts_of.get(kind)
        if found is None:
            found = tuple(part for part, kinds in self._parts if not kinds or kind in kinds)
            self._parts_of[kind] = found
        return found

    def handle(self, event: Event) -> HookResult:
        """Handle any event."""

    def on_start(self, event: StartEvent) -> HookResult:
        """Handle the start; orders of earlier runs are in `orders`."""

    def on_stop(self, event: StopEvent) -> HookResult:
        """Handle the end; requests made here are still sent, but no answers come."""

    def on_order_book(self, event: BookEvent) -> HookResult:
        """Handle a change of an order book."""

    def on_trades(self, event: TradesEvent) -> HookResult:
        """Handle trades on the market."""

    def on_order(self, event: OrderEvent) -> HookResult:
        """Handle a change of one of its own orders."""

    def on_balance(self, event: BalanceEvent) -> HookResult:
        """Handle changes of balances."""

    def on_response(self, event: ResponseEvent) -> HookResult:
        """Handle the answer to one of its requests."""

    def on_timer(self, event: TimerEvent) -> HookResult:
        """Handle a timer that is due."""

    def on_status(self, event: StatusEvent) -> HookResult:
        """Handle a change of a stream's status."""

    def on_fill(self, event: FillEvent) -> HookResult:
        """Handle a fill of one of its own orders."""

    def on_candles(self, event: CandlesEvent) -> HookResult:
        """Handle new or changed candles."""

    def on_ticker(self, event: TickerEvent) -> HookResult:
        """Handle a change of a ticker."""

    def on_bids_asks(self, event: BidsAsksEvent) -> HookResult:
        """Handle a change of the best bid or ask, by the stream of only these."""

    def on_mark_price(self, event: MarkPriceEvent) -> HookResult:
        """Handle a change of a contract's mark price."""

    def on_funding_rate(self, event: FundingRateEvent) -> HookResult:
        """Handle a change of a contract's funding rate."""

    def on_open_interest(self, event: OpenInterestEvent) -> HookResult:
        """Handle a change of a contract's open interest."""

    def on_own_trades(self, event: OwnTradesEvent) -> HookResult:
        """Handle own trades of the account, of whatever source."""

    def on_exchange_positions(self, event: ExchangePositionsEvent) -> HookResult:
        """Handle a change of what the account holds of contracts."""

    def on_liquidations(self, event: LiquidationsEvent) -> HookResult:
        """Handle positions that the exchange closed by force."""


Hook = Callable[[Any], HookResult]

HOOK_NAMES: Final[dict[type[Any], str]] = {
    StartEvent: "on_start",
    StopEvent: "on_stop",
    BookEvent: "on_order_book",
    TradesEvent: "on_trades",
    OrderEvent: "on_order",
    BalanceEvent: "on_balance",
    ResponseEvent: "on_response",
    TimerEvent: "on_timer",
    StatusEvent: "on_status",
    FillEvent: "on_fill",
    CandlesEvent: "on_candles",
    TickerEvent: "on_ticker",
    BidsAsksEvent: "on_bids_asks",
    MarkPriceEvent: "on_mark_price",
    FundingRateEvent: "on_funding_rate",
    OpenInterestEvent: "on_open_interest",
    OwnTradesEvent: "on_own_trades",
    ExchangePositionsEvent: "on_exchange_positions",
    LiquidationsEvent: "on_liquidations",
}
"""The hook of each kind of event."""


def hooks_of(strategy: Strategy) -> dict[type[Any], tuple[Hook, ...]]:
    """Return what to call for each kind of event: only what the strategy overrides."""

    def overridden(name: str) -> bool:
        return getattr(type(strategy), name) is not getattr(Strategy, name)

    return {
        kind: tuple(getattr(strategy, hook) for hook in ("handle", name) if overridden(hook))
        for kind, name in HOOK_NAMES.items()
    }
