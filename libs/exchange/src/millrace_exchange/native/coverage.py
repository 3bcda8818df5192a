"""The part of an order book that a snapshot of its best levels covers. Pure.

The stream of changes knows nothing of the levels beyond unless they change, so a book must not reach there.
"""

from millrace_core.market import Level
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth


class CoveredSide:
    """One side of a book whose snapshot ended at an edge."""

    def __init__(self, levels: list[Level], depth: SnapshotDepth, *, descending: bool) -> None:
        self._sign = 1.0 if descending else -1.0
        self._edge = self._sign * levels[-1][0]
        self._prices = {price for price, _ in levels}
        self._few = depth.few

    @property
    def is_low(self) -> bool:
        """Tell whether so few levels are left that another snapshot is due."""
        return len(self._prices) <= self._few

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


def covered_side(levels: list[Level], depth: SnapshotDepth | None, *, descending: bool) -> CoveredSide | WholeSide:
    """Return one side of a snapshot; it is whole unless it has a number of levels at which snapshots are cut off."""
    if depth is None or len(levels) not in depth.caps:
        return WholeSide()
    return CoveredSide(levels, depth, descending=descending)
