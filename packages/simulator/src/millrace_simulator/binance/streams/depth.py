"""The changes of an order book between two flushes of a depth stream.

Consecutive updates join: the first id of one is the last of the one before plus one, because ids are those of single
changes of a level and none is left out. Only the newest total of a level is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from millrace_matching import Side
from millrace_simulator.venue import BookChange

Levels = list[tuple[int, int]]
"""(price in ticks, total in lots), best first."""


@dataclass(frozen=True, slots=True)
class DepthUpdate:
    """The changes of one interval; a total of 0 removes the level."""

    symbol: str
    first_update_id: int
    last_update_id: int
    bids: Levels
    asks: Levels


class DepthBatch:
    """Collects a symbol's changes until the next flush."""

    __slots__ = ("_asks", "_bids", "_first", "_last", "_symbol")

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._first = 0
        self._last = 0

    def add(self, change: BookChange) -> None:
        """Take in the next change of the book."""
        if not self._first:
            self._first = change.first_update_id
        self._last = change.last_update_id
        for side, price, quantity in change.changes:
            (self._bids if side is Side.BUY else self._asks)[price] = quantity

    def take(self) -> DepthUpdate | None:
        """Return the gathered changes and start over; None if nothing changed."""
        if not self._first:
            return None
        update = DepthUpdate(
            self._symbol,
            self._first,
            self._last,
            sorted(self._bids.items(), reverse=True),
            sorted(self._asks.items()),
        )
        self.forget()
        return update

    def forget(self) -> None:
        """Discard the collected changes."""
        if self._first:
            self._first = 0
            self._bids.clear()
            self._asks.clear()
