"""The resting orders of one symbol: price levels, each a queue in order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from millrace_matching.orders import Side


class RestingOrder:
    """A resting order."""

    __slots__ = ("hidden", "level", "order_id", "owner", "remaining")

    def __init__(self, order_id: int, owner: int, remaining: int, level: Level, *, hidden: bool) -> None:
        self.order_id = order_id
        self.owner = owner
        self.remaining = remaining
        self.level = level
        self.hidden = hidden


class Level:
    """The orders at one price, first come first."""

    __slots__ = ("orders", "price", "shown", "side", "total")

    def __init__(self, side: Side, price: int) -> None:
        self.side = side
        self.price = price
        self.total = 0
        self.shown = 0
        """The part of `total` that is not hidden."""
        self.orders: dict[int, RestingOrder] = {}  # a dict keeps the order of arrival and drops from the middle in O(1)

    def without(self, owner: int) -> int:
        """Return the total of the orders that are not this owner's; 0 owns nothing."""
        if owner == 0:
            return self.total
        return sum(order.remaining for order in self.orders.values() if order.owner != owner)

    def add(self, order: RestingOrder) -> None:
        """Add an order at the end of the queue."""
        self.orders[order.order_id] = order
        self.grow(order, order.remaining)

    def grow(self, order: RestingOrder, quantity: int) -> None:
        """Count a change of one of its orders; negative when the order shrinks."""
        self.total += quantity
        if not order.hidden:
            self.shown += quantity

    def first(self) -> RestingOrder:
        """Return the order that trades next; the level is not empty."""
        return next(iter(self.orders.values()))


class BookSide:
    """All bids or all asks."""

    __slots__ = ("_keys", "_levels", "_sign", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = -1 if side is Side.BUY else 1
        self._keys: list[int] = []  # price × sign, ascending: the best comes first on either side
        self._levels: dict[int, Level] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def best(self) -> Level | None:
        """Return the level that trades first; None when the side is empty."""
        return self._levels[self._keys[0] * self._sign] if self._keys else None

    def worst(self) -> Level | None:
        """Return the level that trades last; None when the side is empty."""
        return self._levels[self._keys[-1] * self._sign] if self._keys else None

    def reaches(self, price: int | None) -> bool:
        """Tell whether an order of the other side with this limit (None: any price) would trade now."""
        if not self._keys:
            return False
        return price is None or self._keys[0] <= price * self._sign

    def level(self, price: int) -> Level | None:
        """Return the level at this price; None where nothing rests."""
        return self._levels.get(price)

    def levels(self) -> Iterator[Level]:
        """Return all levels, best first."""
        for key in self._keys:
            yield self._levels[key * self._sign]

    def shown_levels(self) -> Iterator[Level]:
        """Return the levels that hold more than hidden orders, best first."""
        return (level for level in self.levels() if level.shown)

    def rest(self, order_id: int, owner: int, remaining: int, price: int, *, hidden: bool = False) -> RestingOrder:
        """Add an order at the end of the queue at its price."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = Level(self.side, price)
            insort(self._keys, price * self._sign)
        order = RestingOrder(order_id, owner, remaining, level, hidden=hidden)
        level.add(order)
        return order

    def remove(self, order: RestingOrder) -> None:
        """Remove an order, with its remaining amount."""
        level = order.level
        level.grow(order, -order.remaining)
        del level.orders[order.order_id]
        if not level.orders:
            del self._levels[level.price]
            del self._keys[bisect_left(self._keys, level.price * self._sign)]
