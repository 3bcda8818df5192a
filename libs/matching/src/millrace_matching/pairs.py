"""Pairs of orders of which one ends the other."""

from __future__ import annotations


class Pairs:
    """Which orders are paired with each other."""

    __slots__ = ("partners",)

    def __init__(self) -> None:
        self.partners: dict[int, int] = {}
        """The other order of each; to be read only, and empty most of the time."""

    def join(self, first: int, second: int) -> None:
        """Pair two orders."""
        self.partners[first], self.partners[second] = second, first

    def part(self, order_id: int) -> int | None:
        """Dissolve an order's pair and return the other one; None if it has none."""
        partner = self.partners.pop(order_id, None)
        if partner is not None:
            del self.partners[partner]
        return partner
