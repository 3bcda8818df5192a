"""The part of an order book that a snapshot of its best levels covers. Pure.

The stream of changes knows nothing of the levels beyond unless they change, so a book must not reach there.
"""

from millrace_core.market import Level


class CoveredSide:
    """One side of a book whose snapshot ended at an edge."""

    def __init__(self, levels: list[Level], *, descending: bool) -> None:
        self._sign = 1.0 if descending else -1.0
        self._edge = self._sign * levels[-1][0]
        self._prices = {price for price, _ in levels}
        self._enough = len(levels) // 2

    @property
    def is_low(self) -> bool:
        """Tell whether half of the levels that the snapshot had are left, or fewer."""
        return len(self._prices) <= self._enough

    @property
    def is_exhausted(self) -> bool:
        """Tell whether no level is left: what the exchange has beyond the edge is not known."""
        return not self._prices

    def within(self, changes: list[Level]) -> list[Level]:
        """Return the changes up to the edge."""
        sign, edge, prices = self._sign, self._edge, self._prices
        covered = [level for level in changes if sign * level[0] >= edge]
        for price, amount in covered:
            if amount:
                prices.add(price)
            else:
                prices.discard(price)
        return covered


class WholeSide:
    """One side of a book whose snapshot had all levels."""

    is_low = is_exhausted = False

    def within(self, changes: list[Level]) -> list[Level]:
        """Return the changes: all are within."""
        return changes


def covered_side(levels: list[Level], depth: int, *, descending: bool) -> CoveredSide | WholeSide:
    """Return one side of a snapshot for which so many levels were asked; it is whole if it has fewer."""
    return CoveredSide(levels, descending=descending) if len(levels) >= depth else WholeSide()
