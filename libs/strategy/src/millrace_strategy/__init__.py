"""What a strategy author imports: the `Strategy` class, its events, books, orders, timers and settings.

How to write one: docs/strategies.md. How to test one: `millrace_strategy.testing`.
"""

from millrace_core.config.magicbox import StrategyLimits
from millrace_core.market_terms import MarketTerms, SizedOrder, Unsendable
from millrace_core.orders import OrderKey
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, OrderRequest
from millrace_strategy.depth import Walk
from millrace_strategy.errors import (
    AnswerOverdue,
    EventTooSlow,
    HookCancelled,
    NotSubscribed,
    SavedRecordBroken,
    StartFailed,
    StateTooLarge,
    StrategyFaulty,
    StrategyStopped,
    TooManyErrors,
)
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
from millrace_strategy.fills import StrategyFill
from millrace_strategy.host import Host
from millrace_strategy.market_history import Candles, MarketCandles, MarketTrades, RecentTrades
from millrace_strategy.markets import Markets
from millrace_strategy.orders import OrderReference, OrderView, StrategyOrder, StrategyOrders
from millrace_strategy.pending import PendingRequest
from millrace_strategy.positions import StrategyPosition, StrategyPositions
from millrace_strategy.record import MAX_PLOTS, Recorder, SavedStrategy
from millrace_strategy.rounding import smallest_step, to_step
from millrace_strategy.runtime import Runtime
from millrace_strategy.state import StrategyState
from millrace_strategy.strategy import (
    HOOK_NAMES,
    Context,
    HookResult,
    Strategy,
    StrategyConfiguration,
    read_configuration,
)
from millrace_strategy.timers import ScheduledCall, Timer
from millrace_strategy.trader import Trader
from millrace_strategy.views import Books, LocalBook, SubscribedStream

__all__ = [
    "HOOK_NAMES",
    "MAX_PLOTS",
    "AnswerOverdue",
    "BalanceEvent",
    "BidsAsksEvent",
    "BookEvent",
    "Books",
    "CancelAllOrders",
    "CancelOrder",
    "Candles",
    "CandlesEvent",
    "Context",
    "CreateOrder",
    "EditOrder",
    "Event",
    "EventTooSlow",
    "ExchangePositionsEvent",
    "FillEvent",
    "FundingRateEvent",
    "HookCancelled",
    "HookResult",
    "Host",
    "LiquidationsEvent",
    "LocalBook",
    "MarkPriceEvent",
    "MarketCandles",
    "MarketTerms",
    "MarketTrades",
    "Markets",
    "NotSubscribed",
    "OpenInterestEvent",
    "OrderEvent",
    "OrderKey",
    "OrderReference",
    "OrderRequest",
    "OrderView",
    "OwnTradesEvent",
    "PendingRequest",
    "RecentTrades",
    "Recorder",
    "ResponseEvent",
    "Runtime",
    "SavedRecordBroken",
    "SavedStrategy",
    "ScheduledCall",
    "SizedOrder",
    "StartEvent",
    "StartFailed",
    "StateTooLarge",
    "StatusEvent",
    "StopEvent",
    "Strategy",
    "StrategyConfiguration",
    "StrategyFaulty",
    "StrategyFill",
    "StrategyLimits",
    "StrategyOrder",
    "StrategyOrders",
    "StrategyPosition",
    "StrategyPositions",
    "StrategyState",
    "StrategyStopped",
    "SubscribedStream",
    "TickerEvent",
    "Timer",
    "TimerEvent",
    "TooManyErrors",
    "Trader",
    "TradesEvent",
    "Unsendable",
    "Walk",
    "read_configuration",
    "smallest_step",
    "to_step",
]
