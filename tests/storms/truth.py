"""What the exchange did, as its control plane tells it: every past book by its number, and every trade."""

import asyncio
import time
from array import array
from typing import Any

import aiohttp
import msgspec

_MASK = (1 << 64) - 1
_EMPTY = 0
_TURN_S = 0.005
FEWEST = 20
"""Levels a side that must be shown at least, where the exchange has them."""

Key = float
"""A price, negative for bids."""


def mark(key: Key, amount: float) -> int:
    """Return what a level adds to the sum that stands for a book."""
    return hash((key, amount)) & _MASK


def changed(total: int, key: Key, former: float, amount: float) -> int:
    """Return the sum for a book after one level of it has changed; 0 is no level."""
    if former:
        total -= mark(key, former)
    if amount:
        total += mark(key, amount)
    return total & _MASK


class Turn:
    """A turn of the event loop, which work that takes long ends now and then.

    Frames are passed on, and what readers are shown is timed, in the process that compares.
    """

    def __init__(self) -> None:
        self._ends_s = time.monotonic() + _TURN_S

    async def end(self) -> None:
        """Let others have their turn, if this one has lasted long enough."""
        if time.monotonic() > self._ends_s:
            await asyncio.sleep(0)
            self._ends_s = time.monotonic() + _TURN_S


class TrueBook:
    """All past books of one market, each as a sum over its levels."""

    def __init__(self, session: aiohttp.ClientSession, market: str) -> None:
        self._session, self._market = session, market
        self._levels: dict[Key, float] = {}
        self._first: int | None = None
        self._sums = array("Q")
        self._keys, self._amounts = array("d"), array("d")
        self._past: dict[Key, float] = {}
        """The book after as many changes as `_past_changes`."""
        self._past_changes = 0

    async def reach(self, number: int) -> None:
        """Learn all changes up to an update."""
        while self._next is None or self._next <= number:
            parameters = {"symbol": self._market, "fromUpdateId": str(self._next or 0)}
            answer = await _get(self._session, "/simulator/changes", parameters)
            if self._first is None:
                self._first = answer["firstUpdateId"]
            elif not answer["changes"]:
                raise AssertionError(f"{self._market} was shown as of update {number}, which has not happened")
            turn = Turn()
            for side, price, amount in answer["changes"]:
                self._change(-float(price) if side == "BUY" else float(price), float(amount))
                await turn.end()

    def sum_at(self, number: int) -> int | None:
        """Return the sum for the book after an update; None from before the record."""
        place = number - (self._first or 0)
        return self._sums[place] if 0 <= place < len(self._sums) else None

    def levels_at(self, number: int) -> dict[Key, float]:
        """Return the book after an update; those of growing numbers cost little. The next call changes it."""
        changes = number - (self._first or 0) + 1
        if changes < self._past_changes:
            self._past, self._past_changes = {}, 0
        for place in range(self._past_changes, changes):
            _set(self._past, self._keys[place], self._amounts[place])
        self._past_changes = changes
        return self._past

    @property
    def _next(self) -> int | None:
        return None if self._first is None else self._first + len(self._sums)

    def _change(self, key: Key, amount: float) -> None:
        total = changed(self._sums[-1] if self._sums else _EMPTY, key, self._levels.get(key, 0.0), amount)
        _set(self._levels, key, amount)
        self._sums.append(total)
        self._keys.append(key)
        self._amounts.append(amount)


def is_part(shown: dict[Key, float], whole: dict[Key, float]) -> bool:
    """Tell whether what is shown of a book is its best levels of both sides, many or all of them."""
    return all(_is_part_of_side(shown, whole, is_bid=is_bid) for is_bid in (True, False))


def _is_part_of_side(shown: dict[Key, float], whole: dict[Key, float], *, is_bid: bool) -> bool:
    ours, theirs = ({key: amount for key, amount in book.items() if (key < 0) is is_bid} for book in (shown, whole))
    worst = max(ours, default=0.0)
    return len(ours) >= min(FEWEST, len(theirs)) and ours == {k: amount for k, amount in theirs.items() if k <= worst}


def _set(levels: dict[Key, float], key: Key, amount: float) -> None:
    if amount:
        levels[key] = amount
    else:
        levels.pop(key, None)


async def true_trades(session: aiohttp.ClientSession, market: str, first: int) -> list[tuple[int, float, float]]:
    """Return number, price and amount of all trades of a market from a number on."""
    answer = await _get(session, "/simulator/trades", {"symbol": market, "fromId": str(first)})
    return [(trade["id"], float(trade["price"]), float(trade["qty"])) for trade in answer]


async def _get(session: aiohttp.ClientSession, path: str, parameters: dict[str, str]) -> Any:
    async with session.get(path, params=parameters) as response:
        response.raise_for_status()
        return msgspec.json.decode(await response.read())
