"""Quotes on both sides of a market."""

from decimal import Decimal
from typing import NamedTuple

from millrace_core.messages import decimal_of
from millrace_strategy.execution.working_order import WorkingOrder
from millrace_strategy.strategy import Strategy
from millrace_strategy.trader import Number, exact_number


class Quote(NamedTuple):
    """One side of a quote."""

    price: Number
    amount: Number


class TwoSidedQuote:
    """A bid and an ask, each one order; `quote` replaces only what moved, by at least a tick and `min_move`."""

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        min_move: Number = 0,
        post_only: bool = True,
        pause_ms: int = 250,
    ) -> None:
        self.min_move = exact_number("min_move", min_move) or Decimal(0)
        self.bid, self.ask = (
            WorkingOrder(strategy, exchange=exchange, symbol=symbol, side=side, post_only=post_only, pause_ms=pause_ms)
            for side in ("buy", "sell")
        )

    def quote(self, bid: Quote | None, ask: Quote | None) -> None:
        """Quote these; None withdraws a side.

        An order of the same amount whose price would move by less than `min_move` stays. A side that was filled is
        quoted anew. Prices are rounded away from the other side; an amount too small to be sent is not quoted.
        """
        for side, wanted in ((self.bid, bid), (self.ask, ask)):
            if wanted is None:
                side.clear()
            elif not self._is_near(side, wanted):
                side.set(*wanted)

    def clear(self) -> None:
        """Withdraw both sides."""
        self.quote(None, None)

    def _is_near(self, side: WorkingOrder, wanted: Quote) -> bool:
        present, price = side.terms, decimal_of(wanted.price)
        if present is None or price is None:
            return False
        return decimal_of(wanted.amount) == present.amount and abs(price - present.price) < self.min_move
