"""The events that a strategy is called with.

All are frozen. An event carries the state of its moment; the strategy's `books`, `orders` and `balances` show the
current state, and so may be newer than the event being handled.
"""

import msgspec

from millrace_core.market import Balances, Candle, ExchangePosition, Fields, Liquidation, Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.trace import Trace
from millrace_strategy.fills import StrategyFill
from millrace_strategy.orders import StrategyOrder
from millrace_strategy.positions import StrategyPosition
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


class FillEvent(_Event, frozen=True, kw_only=True):
    """One of the strategy's own orders was filled, wholly or in part; each fill once.

    The first ones may be fills from before the start that no earlier run has seen.
    """

    fill: StrategyFill
    position: StrategyPosition
    """The strategy's position in that market after the fill."""


class CandlesEvent(_Event, frozen=True, kw_only=True):
    """Candles of one timeframe are new or changed, from the feed or built from trades. After a gap: all of them."""

    exchange: ExchangeId
    symbol: Symbol
    timeframe: str
    candles: list[Candle]
    """Those that changed, oldest first; `self.candles` has them all."""


class _FieldsEvent(_Event, frozen=True, kw_only=True):
    """The fields of events about one object of a market."""

    exchange: ExchangeId
    symbol: Symbol
    changed: Fields
    """The fields that changed, by ccxt's names; None: it has no value any more. After a gap: all of them."""
    fields: Fields
    """All fields that have a value."""


class TickerEvent(_FieldsEvent, frozen=True, kw_only=True):
    """A market's ticker changed."""


class BidsAsksEvent(_FieldsEvent, frozen=True, kw_only=True):
    """A market's best bid or ask changed, by the stream of only these."""


class MarkPriceEvent(_FieldsEvent, frozen=True, kw_only=True):
    """A contract's mark price changed."""


class FundingRateEvent(_FieldsEvent, frozen=True, kw_only=True):
    """A contract's funding rate changed."""


class OpenInterestEvent(_FieldsEvent, frozen=True, kw_only=True):
    """A contract's open interest changed."""


class OwnTradesEvent(_Event, frozen=True, kw_only=True):
    """The account's own trades of whatever source, oldest first, each once. The strategy's own are fills, too."""

    exchange: ExchangeId
    symbol: Symbol
    trades: list[Trade]


class ExchangePositionsEvent(_Event, frozen=True, kw_only=True):
    """What the account holds of contracts, as the exchange reports it, changed. After a gap: all of it."""

    exchange: ExchangeId
    changed: list[ExchangePosition]
    """Each whole; one with 0 contracts is closed."""
    positions: list[ExchangePosition]
    """The open ones."""


class LiquidationsEvent(_Event, frozen=True, kw_only=True):
    """Positions that the exchange closed by force, oldest first."""

    exchange: ExchangeId
    symbol: Symbol
    liquidations: list[Liquidation]


class TimerEvent(_Event, frozen=True, kw_only=True):
    """A timer that the strategy set is due."""

    name: str
    due_ms: int
    timer: Timer
    """The timer; its callback is called after the hooks."""


class StartEvent(_Event, frozen=True, kw_only=True):
    """The strategy starts: its orders of earlier runs are known, books may not have arrived yet."""

    is_replacement: bool = False
    """Whether it takes over from another instance, which has just stopped: books and orders are up to date."""


class StopEvent(_Event, frozen=True, kw_only=True):
    """The strategy ends; this is the last moment to cancel its orders."""

    is_replaced: bool = False
    """Whether another instance takes over at once, so that orders may stay for it."""


Event = (
    BookEvent
    | TradesEvent
    | OrderEvent
    | BalanceEvent
    | ResponseEvent
    | StatusEvent
    | FillEvent
    | CandlesEvent
    | TickerEvent
    | BidsAsksEvent
    | MarkPriceEvent
    | FundingRateEvent
    | OpenInterestEvent
    | OwnTradesEvent
    | ExchangePositionsEvent
    | LiquidationsEvent
    | TimerEvent
    | StartEvent
    | StopEvent
)
"""Any event that `Strategy.handle` is called with."""
