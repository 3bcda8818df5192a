"""An order that follows the market."""

from decimal import Decimal
from typing import Literal, get_args

from millrace_core.market import Level
from millrace_strategy.events import BookEvent, Event, StatusEvent
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.execution.working_order import WorkingOrder, above_zero
from millrace_strategy.strategy import Strategy
from millrace_strategy.trader import Number, exact_number
from millrace_strategy.views import LocalBook

Peg = Literal["same", "mid", "opposite"]
"""The best price of the order's own side, the mid price, or the best price of the other side."""


class PeggedOrder(StrategyPart):
    """Keeps an order for `amount` at a price of the book: `offset` more aggressive than `peg`, or less if negative.

    Its own order is no part of the price that it follows. While the book is not trusted, the order is withdrawn. What
    is left and too small to be sent stays open only until the price moves.

    Raises:
        ValueError: a number is not finite, `amount` or `limit` not above 0, or there is no such `peg`.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        amount: Number,
        peg: Peg = "same",
        offset: Number = 0,
        limit: Number | None = None,
        post_only: bool = True,
    ) -> None:
        self._book = strategy.books[exchange, symbol]
        if peg not in get_args(Peg):
            raise ValueError(f"peg is {peg!r}; it must be one of {', '.join(get_args(Peg))}")
        self._side, self._peg = side, peg
        self._amount = above_zero("amount", amount)
        self._limit = None if limit is None else above_zero("limit", limit)
        self._offset = exact_number("offset", offset) or Decimal(0)
        self._is_left = False
        """Whether what is not filled is too small to be sent."""
        self._order = WorkingOrder(strategy, exchange=exchange, symbol=symbol, side=side, post_only=post_only)
        self._is_cancelled = False
        super().__init__(strategy, BookEvent, StatusEvent)
        self._follow()

    @property
    def remaining(self) -> Decimal:
        """Return how much is not filled yet."""
        return self._amount - self._order.filled

    @property
    def is_done(self) -> bool:
        """Tell whether all that can be sent was filled, or it was cancelled and has no order any more."""
        return self._order.is_idle and (self._is_cancelled or self._is_left or self.remaining <= 0)

    def cancel(self) -> None:
        """Cancel what rests, and place no more."""
        self._is_cancelled = True
        self._order.clear()

    def handle(self, event: Event) -> None:
        """Follow the book."""
        self._follow()

    def _follow(self) -> None:
        if self._is_cancelled or self.remaining <= 0:
            return
        price = self._price() if self._book.trusted else None
        if price is None:
            self._order.clear()
        elif self._order.terms is None or self._order.terms.price != price:
            self._order.set(price, self.remaining)
            self._is_left = not self._order.sends(price, self.remaining)

    def _price(self) -> Decimal | None:
        sign = 1 if self._side == "buy" else -1
        anchor = _anchor(self._book, self._side, self._peg, self._order)
        if anchor is None:
            return None
        exact = Decimal(str(anchor)) + sign * self._offset
        price = self._order.market.round_price(exact, up=self._side == "sell")
        if self._limit is not None:
            price = min(price, self._limit) if self._side == "buy" else max(price, self._limit)
        return price if price > 0 else None


def _anchor(book: LocalBook, side: str, peg: Peg, own: WorkingOrder) -> float | None:
    same, other = (book.bids(2), book.asks(1)) if side == "buy" else (book.asks(2), book.bids(1))
    same = _without(same, own)
    if peg == "opposite":
        return other[0][0] if other else None
    if not same or peg == "same":
        return same[0][0] if same else None
    return (same[0][0] + other[0][0]) / 2 if other else None


def _without(levels: list[Level], own: WorkingOrder) -> list[Level]:
    """Return levels without the one that holds nothing but the own order."""
    order = own.order
    if order is None or order.price is None:
        return levels
    left = float((order.amount or Decimal(0)) - (order.filled or Decimal(0)))
    return [(price, amount) for price, amount in levels if price != float(order.price) or amount > left]
