"""Orders that are worked for a strategy: quotes that follow the market, and large orders in parts.

Each class is a part of one strategy: it gets every event before the strategy's own hooks, and needs no calls but those
that say what is wanted. None ever has two orders where one was wanted: nothing is placed while the outcome of a request
is unknown, and what is filled is counted from the orders themselves.
"""

from millrace_strategy.execution.cancelling import CancelOwn
from millrace_strategy.execution.iceberg import Iceberg
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.execution.pegged import PeggedOrder
from millrace_strategy.execution.quoting import Quote, TwoSidedQuote
from millrace_strategy.execution.schedule import Twap, Vwap
from millrace_strategy.execution.working_order import WorkingOrder

__all__ = [
    "CancelOwn",
    "Iceberg",
    "PeggedOrder",
    "Quote",
    "StrategyPart",
    "Twap",
    "TwoSidedQuote",
    "Vwap",
    "WorkingOrder",
]
