"""A market whose book moves at random, and remembers what it was."""

from collections import deque
from random import Random
from typing import Literal, NamedTuple

Side = Literal["bids", "asks"]
Levels = tuple[tuple[float, float], ...]
"""Price and amount, best first."""

_KEPT = 4_000
_START = 10_000
_DRIFT = 0.35


class BookState(NamedTuple):
    """A whole book as it was."""

    version: int
    bids: Levels
    asks: Levels

    def best(self, levels: int | None) -> "BookState":
        """Return the book with so many levels a side."""
        return BookState(self.version, self.bids[:levels], self.asks[:levels])


class Market:
    """A book of whole ticks of 0.1 around a price that walks."""

    def __init__(self, seed: int, *, levels: int = 60, trend: float = 0.5) -> None:
        self.random = Random(seed)
        self._trend = trend
        """How often the price goes up when it moves."""
        self._middle, self._version, self._levels = _START, 1_000, levels
        self._amounts: dict[Side, dict[int, int]] = {
            "bids": {_START - 1 - place: 1 + place for place in range(levels)},
            "asks": {_START + 1 + place: 1 + place for place in range(levels)},
        }
        self.states: deque[BookState] = deque(maxlen=_KEPT)
        self._remember()

    @property
    def state(self) -> BookState:
        """The book as it is."""
        return self.states[-1]

    def move(self) -> tuple[BookState, BookState]:
        """Change the book; return it as it was and as it is."""
        before = self.state
        if self.random.random() < _DRIFT:
            self._walk()
        else:
            self._change_level()
        self._version += 1
        self._remember()
        return before, self.state

    def _walk(self) -> None:
        step = 1 if self.random.random() < self._trend else -1
        self._middle += step
        met, left = ("asks", "bids") if step > 0 else ("bids", "asks")
        self._amounts[met].pop(self._middle, None)
        # The side that is eaten into goes on as far away as it did.
        self._amounts[met].setdefault(self._middle + step * self._levels, self.random.randint(1, 900))
        self._amounts[left][self._middle - step] = self.random.randint(1, 900)
        self._amounts[left].pop(self._middle - 4 * step * self._levels, None)

    def _change_level(self) -> None:
        side: Side = self.random.choice(("bids", "asks"))
        place = min(int(self.random.expovariate(1 / 12)), 2 * self._levels)
        tick = self._middle + (1 + place) * (1 if side == "asks" else -1)
        amount = self.random.choice((0, self.random.randint(1, 900)))
        # A side never runs out.
        if amount or len(self._amounts[side]) < 5:
            self._amounts[side][tick] = amount or 1
        else:
            self._amounts[side].pop(tick, None)

    def _remember(self) -> None:
        bids = tuple((tick / 10, amount / 1000) for tick, amount in sorted(self._amounts["bids"].items(), reverse=True))
        asks = tuple((tick / 10, amount / 1000) for tick, amount in sorted(self._amounts["asks"].items()))
        self.states.append(BookState(self._version, bids, asks))


def changes(before: Levels, after: Levels) -> list[tuple[float, float]]:
    """Return the levels that differ, those that are gone with amount 0."""
    old, new = dict(before), dict(after)
    gone = [(price, 0.0) for price in old if price not in new]
    return gone + [(price, amount) for price, amount in after if old.get(price) != amount]
