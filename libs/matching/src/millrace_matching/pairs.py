"""Pairs of orders of which one ends the other."""

from __future__ import annotations


class Pairs:
    """Which orders are paired with each other."""

    __slots__ = ("_partners",)

    def __init__(self) -> None:
        self._partners: dict[int, int] = {}

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._partners

    def join(self, first: int, second: int) -> None:
        """Pair two orders."""
        self._partners[first], self._partners[second] = second, first

    def part(self, order_id: int) -> int | None:
        """Dissolve an order's pair and return the other one; None if it has none."""
        partner = self._partners.pop(order_id, None)
        if partner is not None:
            del self._partners[partner]
        return partner
