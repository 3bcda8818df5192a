"""A large limit order of which only a part is visible."""

from decimal import Decimal
from typing import Literal

from millrace_strategy.events import Event
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.execution.working_order import WorkingOrder, above_zero
from millrace_strategy.strategy import Strategy
from millrace_strategy.trader import Number


class Iceberg(StrategyPart):
    """Trades `amount` at `price` in orders of `visible` at most, one after the other.

    What would be left and be too small to be sent belongs to the order before it.

    Raises:
        ValueError: one of them is not a number above 0.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        price: Number,
        amount: Number,
        visible: Number,
        post_only: bool = False,
    ) -> None:
        self._price, self._amount = above_zero("price", price), above_zero("amount", amount)
        self._visible = above_zero("visible", visible)
        self._order = WorkingOrder(strategy, exchange=exchange, symbol=symbol, side=side, post_only=post_only)
        self._is_cancelled = False
        # Attached after its order, which so has taken an event before this looks at it.
        super().__init__(strategy)
        self._show_next()

    @property
    def remaining(self) -> Decimal:
        """Return how much is not filled yet."""
        return self._amount - self._order.filled

    @property
    def is_done(self) -> bool:
        """Tell whether all that can be sent was filled, or it was cancelled and has no order any more."""
        is_over = self._is_cancelled or not self._order.sends(self._price, self.remaining)
        return self._order.is_idle and is_over

    def cancel(self) -> None:
        """Cancel what rests, and place no more."""
        self._is_cancelled = True
        self._order.clear()

    def handle(self, event: Event) -> None:
        """Show the next part when the last one was filled."""
        self._show_next()

    def _show_next(self) -> None:
        if self._is_cancelled or not self._order.is_idle or self.remaining <= 0:
            return
        order, price, remaining = self._order, self._price, self.remaining
        if not order.sends(price, remaining):
            order.leave(price, remaining)
            return
        part = min(self._visible, remaining)
        order.set(price, part if order.sends(price, remaining - part) else remaining)
