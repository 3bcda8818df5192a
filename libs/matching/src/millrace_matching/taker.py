"""An order on its way through the other side of the book, and what keeps it from its owner's orders there."""

from __future__ import annotations

from millrace_matching.book import RestingOrder
from millrace_matching.events import Prevented
from millrace_matching.orders import NewOrder, SelfTradePrevention


class Taker:
    """An order that is being matched: what it still wants and may still spend."""

    __slots__ = ("budget", "order", "prevented", "remaining", "traded")

    def __init__(self, order: NewOrder) -> None:
        self.order = order
        self.remaining = order.quantity
        self.budget = order.budget
        self.traded = False
        self.prevented = False
        """Whether self-trade prevention has ended it."""

    def wants(self, price: int) -> int | None:
        """Return how many lots it takes at this price; None for all available."""
        if self.budget is None:
            return self.remaining
        affordable = self.budget // price
        return affordable if self.remaining is None else min(affordable, self.remaining)

    def take(self, quantity: int, price: int) -> None:
        """Want so much less, as it was worth at this price."""
        if self.remaining is not None:
            self.remaining -= quantity
        if self.budget is not None:
            self.budget -= quantity * price

    def avoids(self, maker: RestingOrder) -> bool:
        """Tell whether it must not trade with this order, which is its owner's."""
        order = self.order
        if order.owner != maker.owner or order.owner == 0:
            return False
        return order.self_trade_prevention is not SelfTradePrevention.NONE

    def prevent(self, maker: RestingOrder) -> Prevented:
        """Return what prevention takes from both where they would have met, and take it from the taker."""
        price, mode = maker.level.price, self.order.self_trade_prevention
        wanted = self.wants(price) or 0
        if mode.decrements:
            taken = given = min(wanted, maker.remaining)
            self.take(taken, price)
            self.prevented = not self.wants(price)
        else:
            taken = 0 if mode is SelfTradePrevention.EXPIRE_MAKER else self.remaining or wanted
            given = 0 if mode is SelfTradePrevention.EXPIRE_TAKER else maker.remaining
            self.prevented = taken > 0
        return Prevented(
            self.order.order_id, maker.order_id, price, taken, given, self.prevented, given == maker.remaining
        )
