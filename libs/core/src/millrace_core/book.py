"""The local order book: absolute levels kept sorted, with the protocol's checksum.

It is a dict of amounts and a sorted list of prices, which measured faster here than any sorted container.
"""

import struct
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf

from millrace_core.market import Level

CHECKSUM_DEPTH = 25


class BookSide:
    """The levels of one side, best first."""

    __slots__ = ("_amounts", "_keys", "_sign")

    def __init__(self, *, descending: bool) -> None:
        self._sign = -1.0 if descending else 1.0
        # Sorted keys are sign * price, so that the best level is always the first.
        self._keys: list[float] = []
        self._amounts: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Level]:
        """Iterate over the levels, best first; while that lasts, the side must not change."""
        sign, amounts = self._sign, self._amounts
        return ((sign * key, amounts[key]) for key in self._keys)

    def apply(self, levels: Iterable[Level]) -> None:
        """Set each level to its amount; 0 removes it. Removing an unknown level does nothing."""
        amounts, keys, sign = self._amounts, self._keys, self._sign
        for price, amount in levels:
            key = sign * price
            if amount:
                if key not in amounts:
                    insort(keys, key)
                amounts[key] = amount
            elif amounts.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]

    def replace(self, levels: Iterable[Level]) -> None:
        """Replace all levels by these."""
        self._amounts = {self._sign * price: amount for price, amount in levels if amount}
        self._keys = sorted(self._amounts)

    def best(self) -> Level | None:
        """Return the best level; None if the side is empty."""
        if not self._keys:
            return None
        key = self._keys[0]
        return self._sign * key, self._amounts[key]

    def amount_at(self, price: float) -> float:
        """Return the amount at a price; 0 if there is no such level."""
        return self._amounts.get(self._sign * price, 0.0)

    def levels(self, depth: int | None = None) -> list[Level]:
        """Return the best `depth` levels, or all, best first."""
        sign, amounts = self._sign, self._amounts
        return [(sign * key, amounts[key]) for key in islice(self._keys, depth)]


class OrderBook:
    """Both sides of a symbol's order book."""

    __slots__ = ("asks", "bids", "nonce")

    def __init__(self) -> None:
        self.bids = BookSide(descending=True)
        self.asks = BookSide(descending=False)
        self.nonce: int | None = None
        """The exchange's own number of this state; None if it numbers none."""

    def apply(self, bids: Iterable[Level], asks: Iterable[Level], nonce: int | None) -> None:
        """Set the levels that changed; amount 0 removes one."""
        self.bids.apply(bids)
        self.asks.apply(asks)
        self.nonce = nonce

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], nonce: int | None) -> None:
        """Replace all levels by these."""
        self.bids.replace(bids)
        self.asks.replace(asks)
        self.nonce = nonce

    @property
    def is_crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask, which no real book is."""
        bid_keys, ask_keys = self.bids._keys, self.asks._keys
        return bool(bid_keys and ask_keys) and -bid_keys[0] >= ask_keys[0]

    def may_cross(self, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Tell whether the book can be crossed by setting these levels; False says that it cannot.

        Levels that are removed count as if they stayed: most messages touch neither best price, and are let through.
        """
        bid_keys, ask_keys = self.bids._keys, self.asks._keys
        highest = -bid_keys[0] if bid_keys else -inf
        lowest = ask_keys[0] if ask_keys else inf
        for price, amount in bids:
            if amount and price > highest:
                highest = price
        for price, amount in asks:
            if amount and price < lowest:
                lowest = price
        return highest >= lowest

    @property
    def mid(self) -> float | None:
        """Return the price half-way between the best bid and ask; None if a side is empty."""
        bid, ask = self.bids.best(), self.asks.best()
        return None if bid is None or ask is None else (bid[0] + ask[0]) / 2

    def checksum(self) -> int:
        """Return CRC-32 over price, amount, … of the best 25 bids, then asks, as big-endian IEEE-754 doubles."""
        levels = self.bids.levels(CHECKSUM_DEPTH) + self.asks.levels(CHECKSUM_DEPTH)
        return zlib.crc32(struct.pack(f">{2 * len(levels)}d", *(number for level in levels for number in level)))

    def difference(self, bids: Iterable[Level], asks: Iterable[Level]) -> tuple[list[Level], list[Level]]:
        """Return the deltas that would turn this book into one of these levels."""
        return _difference(self.bids, bids), _difference(self.asks, asks)


def _difference(side: BookSide, wanted: Iterable[Level]) -> list[Level]:
    new = {price: amount for price, amount in wanted if amount}
    gone = [(price, 0.0) for price, _ in side.levels() if price not in new]
    return gone + [(price, amount) for price, amount in new.items() if side.amount_at(price) != amount]
