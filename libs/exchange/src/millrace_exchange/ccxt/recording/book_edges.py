"""The part of an order book that is known, where a snapshot covers less of it than the stream.

Such a stream changes levels of the whole book, and the snapshot has the best of them only. Beyond the snapshot's last
level nothing is known but the levels that changed since: that is no book. When the price comes near that edge,
another snapshot extends what is known, while the stream goes on.
"""

from bisect import bisect_right
from typing import Any, Final, NamedTuple

from millrace_core.market import Level
from millrace_exchange.ccxt.recording.books import RecordedBook, SideExtent
from millrace_exchange.profile import BookRules

_FEWEST: Final = 100
"""Levels a side that are asked for at least: with fewer, any jump of the price would leave what is known."""


class SnapshotDepth(NamedTuple):
    """How far the snapshots of a book reach."""

    asked: int
    """Levels a side to ask for."""
    caps: frozenset[int]
    """Levels a side at which a snapshot may be cut off."""

    @classmethod
    def of(cls, rules: BookRules, limit: int | None) -> "SnapshotDepth | None":
        """Return that of a book of a depth; None if its snapshots cover all that its stream does."""
        covered, streamed = rules.snapshot_levels, rules.stream_levels
        if covered is None or (streamed is not None and streamed <= covered):
            return None
        asked = max(limit or covered, _FEWEST)
        return cls(asked, frozenset({covered, limit or covered, asked}))

    @property
    def few(self) -> int:
        """With so few levels left before the edge, the next snapshot is due."""
        return self.asked // 2


class KnownSide:
    """What is known of one side of a book: everything from the best level to the edge."""

    def __init__(self, extent: SideExtent, depth: SnapshotDepth, *, is_bid: bool) -> None:
        self._sign = -1 if is_bid else 1
        self._depth = depth
        # A snapshot with any other number of levels was not cut off.
        self._edge = extent.worst if extent.levels in depth.caps else None
        self._touched: set[float] = set()
        """Prices beyond the edge that changed since the snapshot."""

    def known(self, levels: list[Level]) -> list[Level]:
        """Return the levels that lie before the edge, and remember the others."""
        if self._edge is None:
            return levels
        known = [level for level in levels if not self._is_beyond(level[0])]
        if len(known) < len(levels):
            self._touched.update(price for price, _ in levels if self._is_beyond(price))
        return known

    def left(self, side: Any) -> int | None:
        """Return how many levels of ccxt's side lie before the edge; None if there is none."""
        return None if self._edge is None else bisect_right(side._index, self._sign * self._edge)

    def is_near(self, side: Any) -> bool:
        """Tell whether the edge is so near that another snapshot is due."""
        left = self.left(side)
        return left is not None and left <= self._depth.few

    def extend(self, snapshot: list[Level], side: Any) -> list[Level]:
        """Move the edge to that of a newer snapshot; return the levels that are known by it.

        The stream must have passed the snapshot: then a level that changed since the first one is right in ccxt's
        side, and any other in the snapshot.
        """
        if self._edge is None or not snapshot:
            return []
        edge = snapshot[-1][0] if len(snapshot) in self._depth.caps else None
        if edge is not None and not self._is_beyond(edge):
            return []
        for price, amount in snapshot:
            if self._is_beyond(price) and price not in self._touched:
                side.storeArray([price, amount])
        begin, self._edge = self.left(side) or 0, edge
        end = self.left(side)
        self._touched = {price for price in self._touched if self._is_beyond(price)}
        return [(level[0], level[1]) for level in side[begin:end]]

    def _is_beyond(self, price: float) -> bool:
        return self._edge is not None and self._sign * price > self._sign * self._edge


class BookEdges:
    """What is known of both sides of a book since its last snapshot."""

    def __init__(self, book: RecordedBook, depth: SnapshotDepth) -> None:
        self._since: int | None = book["nonce"]
        self.bids = KnownSide(book.extents[0], depth, is_bid=True)
        self.asks = KnownSide(book.extents[1], depth, is_bid=False)

    def is_near(self, book: RecordedBook) -> bool:
        """Tell whether another snapshot is due."""
        return self.bids.is_near(book["bids"]) or self.asks.is_near(book["asks"])

    def is_passed(self, book: RecordedBook) -> bool:
        """Tell whether nothing is known any more of a side."""
        return self.bids.left(book["bids"]) == 0 or self.asks.left(book["asks"]) == 0

    def can_use(self, snapshot: Any) -> bool:
        """Tell whether a snapshot is newer than what is known."""
        return self._since is not None and snapshot["nonce"] is not None and snapshot["nonce"] >= self._since

    def extend(self, book: RecordedBook, snapshot: Any) -> tuple[list[Level], list[Level]]:
        """Extend both sides by a snapshot that the stream has passed; return the levels that are new."""
        extended = (
            side.extend([(level[0], level[1]) for level in snapshot[name]], book[name])
            for side, name in ((self.bids, "bids"), (self.asks, "asks"))
        )
        bids, asks = extended
        return bids, asks
