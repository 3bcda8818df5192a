"""Which orders live for a given time only, and when that is over."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from millrace_simulator.venue.orders import Order


class Lifetimes:
    """The orders that end by themselves, soonest first; those that ended before are found among them too."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, int, str, int]] = []

    def add(self, order: Order) -> None:
        """Remember when an order ends; nothing for one without a lifetime."""
        if order.lifetime_s is not None:
            end_us = order.created_us + order.lifetime_s * 1_000_000
            heappush(self._ends, (end_us, order.account_id, order.symbol, order.order_id))

    def over(self, now_us: int) -> Iterator[tuple[int, str, int]]:
        """Yield account, symbol and id of the orders whose lifetime is over, and forget them."""
        while self._ends and self._ends[0][0] <= now_us:
            _, account_id, symbol, order_id = heappop(self._ends)
            yield account_id, symbol, order_id
