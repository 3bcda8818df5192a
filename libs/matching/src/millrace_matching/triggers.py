"""Orders that wait until the last trade price reaches their trigger."""

from __future__ import annotations

from heapq import heappop, heappush

from msgspec.structs import replace

from millrace_matching.orders import NewOrder, OrderType, Side

_RISING = frozenset(
    {
        (Side.BUY, OrderType.STOP_LOSS),
        (Side.BUY, OrderType.STOP_LOSS_LIMIT),
        (Side.SELL, OrderType.TAKE_PROFIT),
        (Side.SELL, OrderType.TAKE_PROFIT_LIMIT),
    }
)


def rises_to(order: NewOrder) -> bool:
    """Tell whether the price must rise to the order's trigger (else it must fall)."""
    return (order.side, order.type) in _RISING


class Triggers:
    """The waiting orders; those that the price reaches first come out first, equal ones by arrival."""

    def __init__(self) -> None:
        self._waiting: dict[int, NewOrder] = {}
        # Entries of orders that were taken back stay in the heaps until they surface.
        self._rising: list[tuple[int, int, int]] = []
        self._falling: list[tuple[int, int, int]] = []
        self._arrivals = 0

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, order: NewOrder) -> None:
        """Add a waiting order."""
        trigger = order.trigger_price or 0
        self._arrivals += 1
        self._waiting[order.order_id] = order
        if rises_to(order):
            heappush(self._rising, (trigger, self._arrivals, order.order_id))
        else:
            heappush(self._falling, (-trigger, self._arrivals, order.order_id))

    def discard(self, order_id: int) -> NewOrder | None:
        """Take an order back; None when it does not wait."""
        return self._waiting.pop(order_id, None)

    def reduce(self, order_id: int, quantity: int) -> bool:
        """Lower the quantity of a waiting order, and its budget alike; False when it does not wait."""
        order = self._waiting.get(order_id)
        if order is not None:
            budget = None if order.budget is None else order.budget * quantity // (order.quantity or 1)
            self._waiting[order_id] = replace(order, quantity=quantity, budget=budget)
        return order is not None

    def pop(self, low: int, high: int) -> NewOrder | None:
        """Take out the next order whose trigger lies within prices that traded, or None."""
        return self._pop(self._rising, high) or self._pop(self._falling, -low)

    def _pop(self, heap: list[tuple[int, int, int]], reached: int) -> NewOrder | None:
        while heap and heap[0][0] <= reached:
            order = self._waiting.pop(heappop(heap)[2], None)
            if order is not None:
                return order
        return None
