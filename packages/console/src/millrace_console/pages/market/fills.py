"""Own fills as marks on candles: one for each candle and side, however many fills it stands for. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from millrace_console.display.text import rounded


class Fill(NamedTuple):
    """One own trade."""

    at_ms: int
    side: str
    price: float
    amount: float

    @classmethod
    def of(cls, trade: dict[str, Any]) -> "Fill":
        """Return the fill of an own trade, as `/own-trades` lists it."""
        return cls(trade["atMs"], str(trade["side"]), float(trade["price"]), float(trade["amount"]))


class FillMark(NamedTuple):
    """The fills of one side within one candle."""

    candle: int
    """The candle's place in the chart."""
    side: str
    price: float
    """The average, weighted by the amounts."""
    amount: float
    fills: int

    @property
    def words(self) -> str:
        """What was filled."""
        what = "bought" if self.side == "buy" else "sold"
        several = f" ({self.fills} fills)" if self.fills > 1 else ""
        return f"{what} {rounded(self.amount)} @ {rounded(self.price)}{several}"


def marks_of(fills: Iterable[Fill], moments: Sequence[int], interval_ms: int) -> list[FillMark]:
    """Return the marks of those fills that fall into a candle; `moments` are when the candles open, ascending."""
    found: dict[tuple[int, str], tuple[float, float, int]] = {}
    for at_ms, side, price, amount in fills:
        candle = bisect_right(moments, at_ms) - 1
        if candle < 0 or at_ms >= moments[candle] + interval_ms:
            continue
        cost, total, count = found.get((candle, side), (0.0, 0.0, 0))
        found[candle, side] = cost + price * amount, total + amount, count + 1
    return [
        FillMark(candle, side, cost / total, total, count)
        for (candle, side), (cost, total, count) in found.items()
        if total
    ]
