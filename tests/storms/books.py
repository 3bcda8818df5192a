"""What a reader is shown of one order book, and whether that was ever wrong."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.storms.standstill import Standstill
from tests.storms.truth import Key, TrueBook, Turn, changed, is_part, mark

from millrace_bus import Bus, Update
from millrace_core.market import Level
from millrace_core.names import StreamName

_LOOK_EVERY = 200
"""Of so many messages, one has the reader's own levels compared with those that its messages add up to."""
_KEEP_EVERY = 2
"""Of so many books, one is kept level by level."""
_UNNOTICED_S = 5.0


class Claim(NamedTuple):
    """A book that was shown as live."""

    number: int
    total: int
    """The sum for its levels."""
    levels: dict[Key, float] | None
    """The levels of some books: of one whose end is cut off the sum does not tell."""


class Hole(NamedTuple):
    """Frames that are missing from a live book's stream."""

    last: int
    """The last update of the frame that came after them."""
    at_s: float
    """When it came."""
    stood_still_s: float
    """How long the judge had stood still by then."""


class Flag(NamedTuple):
    """A hole that was flagged."""

    after_s: float
    stood_still_s: float
    """How much of that the judge itself stood still."""


@dataclass
class BookFigures:
    """What was found of books."""

    compared: int = 0
    wrong: list[str] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    healed: int = 0
    """Holes that a whole book covered before anything was shown."""
    unnoticed: list[str] = field(default_factory=list)
    """Holes that were neither flagged nor healed."""
    live_s: float = 0.0
    watched_s: float = 0.0


class BookWitness:
    """Reads one book."""

    def __init__(
        self, bus: Bus, name: StreamName, truth: TrueBook, figures: BookFigures, standstill: Standstill
    ) -> None:
        self.is_live = False
        self.changed = asyncio.Event()
        """Set at every change of `is_live`."""
        self._clock = asyncio.get_running_loop().time
        self._figures, self._truth, self._name, self._standstill = figures, truth, name, standstill
        self._levels: dict[Key, float] = {}
        self._total = 0
        self._messages = 0
        self._claims: list[Claim] = []
        self._holes: list[Hole] = []
        self._since_s: float | None = None
        self.follower = bus.follow(name, self._take)

    def hole(self, last: int) -> None:
        """Learn that the frame that ends at an update came after a hole."""
        if self.is_live:
            self._holes.append(Hole(last, self._clock(), self._standstill.total_s))

    def measure(self) -> None:
        """Count the time that the book was live since this was last called."""
        now_s = self._clock()
        if self._since_s is not None:
            self._figures.watched_s += now_s - self._since_s
            self._figures.live_s += (now_s - self._since_s) * self.is_live
        self._since_s = now_s

    async def check(self) -> None:
        """Compare all that was shown with what the exchange had."""
        claims, self._claims = self._claims, []
        if not claims:
            return
        await self._truth.reach(max(claim.number for claim in claims))
        turn = Turn()
        for claim in claims:
            self._compare(claim)
            await turn.end()
        self._give_up_holes()

    def _compare(self, claim: Claim) -> None:
        if self._truth.sum_at(claim.number) == claim.total:
            self._figures.compared += 1
        elif claim.levels is not None:
            self._figures.compared += 1
            if not is_part(claim.levels, self._truth.levels_at(claim.number)):
                self._figures.wrong.append(f"{self._name} as of update {claim.number}")

    def _take(self, update: Update) -> None:
        self._messages += 1
        if update.kind == "delta":
            self._apply(update.data.bids, -1)
            self._apply(update.data.asks, 1)
        elif update.kind == "snapshot":
            self._levels = _levels(update.state)
            self._total = sum(mark(*level) for level in self._levels.items()) & ((1 << 64) - 1)
        self._become(update.trusted and update.status == "live")
        if self.is_live:
            self._claim(update.state)

    def _apply(self, levels: list[Level], sign: int) -> None:
        for price, amount in levels:
            key = sign * price
            self._total = changed(self._total, key, self._levels.get(key, 0.0), amount)
            if amount:
                self._levels[key] = amount
            else:
                self._levels.pop(key, None)

    def _become(self, is_live: bool) -> None:
        if is_live == self.is_live:
            return
        self.measure()
        self.is_live = is_live
        self.changed.set()
        if not is_live:
            now_s, stood_still_s = self._clock(), self._standstill.total_s
            self._figures.flags += [Flag(now_s - hole.at_s, stood_still_s - hole.stood_still_s) for hole in self._holes]
            self._holes.clear()

    def _claim(self, state: Any) -> None:
        number = state.book.nonce
        if self._messages % _LOOK_EVERY == 0 and _levels(state) != self._levels:
            self._figures.wrong.append(f"{self._name}: the reader's levels are not what its messages add up to")
        is_kept = self._messages % _KEEP_EVERY == 0
        self._claims.append(Claim(number, self._total, dict(self._levels) if is_kept else None))
        if self._holes:
            left = [hole for hole in self._holes if hole.last > number]
            self._figures.healed += len(self._holes) - len(left)
            self._holes = left

    def _give_up_holes(self) -> None:
        late = [hole for hole in self._holes if self._clock() - hole.at_s > _UNNOTICED_S]
        self._holes = [hole for hole in self._holes if hole not in late]
        self._figures.unnoticed += [f"{self._name}: the hole before update {hole.last}" for hole in late]


def _levels(state: Any) -> dict[Key, float]:
    book = state.book
    return {-price: amount for price, amount in book.bids.levels()} | dict(book.asks.levels())
