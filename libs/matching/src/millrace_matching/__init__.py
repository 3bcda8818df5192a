"""Order book and matching engine: pure.

`Engine` takes `NewOrder`s in ticks and lots and returns the events that each caused, in order.
"""

from millrace_matching.engine import Engine
from millrace_matching.events import (
    Accepted,
    Canceled,
    Completed,
    Event,
    Expired,
    ExpiryReason,
    LevelChanged,
    Prevented,
    Traded,
    Triggered,
)
from millrace_matching.orders import NewOrder, OrderType, SelfTradePrevention, Side, TimeInForce

__all__ = [
    "Accepted",
    "Canceled",
    "Completed",
    "Engine",
    "Event",
    "Expired",
    "ExpiryReason",
    "LevelChanged",
    "NewOrder",
    "OrderType",
    "Prevented",
    "SelfTradePrevention",
    "Side",
    "TimeInForce",
    "Traded",
    "Triggered",
]
