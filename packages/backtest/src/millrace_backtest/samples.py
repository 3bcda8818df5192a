"""Curves over the time of a backtest, of bounded size however long it is. Pure."""

from decimal import Decimal
from typing import Final, NamedTuple

MOST: Final = 2_000
"""Samples that are kept: when there are more, every other one is dropped and the interval doubled."""
FIRST_INTERVAL_NS: Final = 100_000_000


class Sample(NamedTuple):
    """What prices, positions and equity were at a moment."""

    at_ns: int
    mids: dict[str, float]
    """By market (`exchange symbol`)."""
    positions: dict[str, Decimal]
    """By market, all strategies together."""
    equity: dict[str, Decimal]
    """By currency."""


class Samples:
    """Keeps a sample at each interval, which grows with the time that is covered."""

    def __init__(self) -> None:
        self.kept: list[Sample] = []
        self.interval_ns = FIRST_INTERVAL_NS

    def next_ns(self, now_ns: int) -> int:
        """Return when the next sample is due."""
        return (now_ns // self.interval_ns + 1) * self.interval_ns

    def keep(self, sample: Sample) -> None:
        """Keep a sample."""
        self.kept.append(sample)
        if len(self.kept) > MOST:
            self.kept = self.kept[::2]
            self.interval_ns *= 2
