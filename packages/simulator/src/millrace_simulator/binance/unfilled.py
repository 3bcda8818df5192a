"""The count of unfilled orders: an order that trades no longer counts against its account.

Source: Binance's faqs/order_count_decrement.md.
"""

from __future__ import annotations

from millrace_simulator.binance.limits import RateLimits
from millrace_simulator.venue import ExecutionReport, Listener

TAKER_CREDIT = 1
MAKER_CREDIT = 5
"""An order that first trades as a maker returns more than its own place."""


class UnfilledOrders(Listener):
    """Returns an account's place when one of its orders trades for the first time."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    def on_execution(self, report: ExecutionReport) -> None:
        """Return the order's place at its first fill."""
        trade = report.trade
        if trade is not None and report.order.filled == trade.quantity:
            credit = MAKER_CREDIT if trade.is_maker else TAKER_CREDIT
            self._limits.give_back_orders(str(report.account_id), credit)
