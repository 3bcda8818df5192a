"""What a strategy author imports: the `Strategy` class, its events, books, orders, timers and settings.

How to write one: docs/strategies.md. How to test one: `millrace_strategy.testing`.
"""

from millrace_core.config.magicbox import StrategyLimits
from millrace_core.orders import OrderKey
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, OrderRequest
from millrace_strategy.errors import (
    AnswerOverdue,
    EventTooSlow,
    NotSubscribed,
    StrategyFaulty,
    StrategyStopped,
    TooManyErrors,
)
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
from millrace_strategy.host import Host
from millrace_strategy.orders import OrderReference, OrderView, StrategyOrder, StrategyOrders
from millrace_strategy.pending import PendingRequest
from millrace_strategy.runtime import Runtime
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
    "AnswerOverdue",
    "BalanceEvent",
    "BookEvent",
    "Books",
    "CancelAllOrders",
    "CancelOrder",
    "Context",
    "CreateOrder",
    "EditOrder",
    "Event",
    "EventTooSlow",
    "HookResult",
    "Host",
    "LocalBook",
    "NotSubscribed",
    "OrderEvent",
    "OrderKey",
    "OrderReference",
    "OrderRequest",
    "OrderView",
    "PendingRequest",
    "ResponseEvent",
    "Runtime",
    "ScheduledCall",
    "StartEvent",
    "StatusEvent",
    "StopEvent",
    "Strategy",
    "StrategyConfiguration",
    "StrategyFaulty",
    "StrategyLimits",
    "StrategyOrder",
    "StrategyOrders",
    "StrategyStopped",
    "StreamEvent",
    "SubscribedStream",
    "Timer",
    "TimerEvent",
    "TooManyErrors",
    "Trader",
    "TradesEvent",
    "read_configuration",
]
