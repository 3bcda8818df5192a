"""What the exchange did, as its control plane tells it: every past book by its number, and every trade."""

from array import array
from typing import Any

import aiohttp
import msgspec

_MASK = (1 << 64) - 1
_EMPTY = 0

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


class TrueBook:
    """All past books of one market, each as a sum over its levels."""

    def __init__(self, session: aiohttp.ClientSession, market: str) -> None:
        self._session, self._market = session, market
        self._levels: dict[Key, float] = {}
        self._first: int | None = None
        self._sums = array("Q")
        self._sizes = array("L")

    async def reach(self, number: int) -> None:
        """Learn all changes up to an update."""
        while self._next is None or self._next <= number:
            parameters = {"symbol": self._market, "fromUpdateId": str(self._next or 0)}
            answer = await _get(self._session, "/simulator/changes", parameters)
            if self._first is None:
                self._first = answer["firstUpdateId"]
            elif not answer["changes"]:
                raise AssertionError(f"{self._market} was shown as of update {number}, which has not happened")
            for side, price, amount in answer["changes"]:
                self._change(-float(price) if side == "BUY" else float(price), float(amount))

    def at(self, number: int) -> tuple[int, int] | None:
        """Return the sum for the book after an update and how many levels it has; None from before the record."""
        place = number - (self._first or 0)
        return (self._sums[place], self._sizes[place]) if 0 <= place < len(self._sums) else None

    @property
    def _next(self) -> int | None:
        return None if self._first is None else self._first + len(self._sums)

    def _change(self, key: Key, amount: float) -> None:
        total = changed(self._sums[-1] if self._sums else _EMPTY, key, self._levels.get(key, 0.0), amount)
        if amount:
            self._levels[key] = amount
        else:
            self._levels.pop(key, None)
        self._sums.append(total)
        self._sizes.append(len(self._levels))


async def true_trades(session: aiohttp.ClientSession, market: str, first: int) -> list[tuple[int, float, float]]:
    """Return number, price and amount of all trades of a market from a number on."""
    answer = await _get(session, "/simulator/trades", {"symbol": market, "fromId": str(first)})
    return [(trade["id"], float(trade["price"]), float(trade["qty"])) for trade in answer]


async def _get(session: aiohttp.ClientSession, path: str, parameters: dict[str, str]) -> Any:
    async with session.get(path, params=parameters) as response:
        response.raise_for_status()
        return msgspec.json.decode(await response.read())
