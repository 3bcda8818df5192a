"""A believable past for a market that has just opened: klines that end at the opening price.

The past is walked backwards in tiers, fine near the opening and coarse long before it. Where a tier begins, the next
coarser one ends, so that all of them join; the klines between are put together from finer ones. Each interval has at
least 1,000 klines; those of a month begin before 1970 for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline

_VOLATILITY_PER_SECOND = 0.00004
_TRADES_PER_SECOND = 0.4
_FAR_TRADES_PER_SECOND = 0.02
"""Fewer and larger ones, so that the ids of a long past have room below those of the present."""


class Tier(NamedTuple):
    """A part of the past in steps of one length."""

    step: Interval
    boundary: Interval
    """The interval on whose boundary it begins: that of the next tier."""
    steps: int
    """How many it holds at least."""
    trades_per_second: float = _TRADES_PER_SECOND


NEAR_TIERS = (
    Tier(Interval.S1, Interval.M1, 1_200),
    Tier(Interval.M1, Interval.M5, 3_000),
    Tier(Interval.M5, Interval.M15, 500),
    Tier(Interval.M15, Interval.M30, 700),
    Tier(Interval.M30, Interval.H1, 500),
    Tier(Interval.H1, Interval.H2, 550),
)
"""Six weeks: all that tickers and klines of up to an hour need."""
FAR_TIERS = (
    Tier(Interval.H2, Interval.H4, 2_600, _FAR_TRADES_PER_SECOND),
    Tier(Interval.H4, Interval.D1, 1_600, _FAR_TRADES_PER_SECOND),
    Tier(Interval.D1, Interval.MO1, 6_600, _FAR_TRADES_PER_SECOND),
    Tier(Interval.MO1, Interval.MO1, 800, _FAR_TRADES_PER_SECOND),
)

LAST_TRADE_ID = 100_000_000
"""The id of the last trade before the opening; those before it count down."""


class Prehistory:
    """Walks into the past, tier by tier, from the second before `now_ms`, whose last trade is `trade_id`."""

    def __init__(
        self, rng: Random, opening: int, typical_lots: int, now_ms: int, trade_id: int = LAST_TRADE_ID
    ) -> None:
        self._rng = rng
        self._price = opening
        self._typical_lots = typical_lots
        self._end_ms = Interval.S1.open_of(now_ms)
        self._trade_id = trade_id

    def walk(self, tiers: Iterable[Tier]) -> dict[Interval, list[Kline]]:
        """Return the next tiers, each oldest first."""
        return {tier.step: self._walk(tier) for tier in tiers}

    def _walk(self, tier: Tier) -> list[Kline]:
        klines: list[Kline] = []
        end_ms = self._end_ms
        while len(klines) < tier.steps or end_ms != tier.boundary.open_of(end_ms):
            begin_ms = tier.step.open_of(end_ms - 1)
            kline = self._before(begin_ms, end_ms, tier.trades_per_second)
            klines.append(kline)
            self._price = kline.open
            self._trade_id -= kline.trades
            end_ms = begin_ms
        self._end_ms = end_ms
        klines.reverse()
        return klines

    def _before(self, begin_ms: int, end_ms: int, trades_per_second: float) -> Kline:
        """Return a kline that ends at the price and the trade where the walk stands."""
        rng, close, last_trade_id = self._rng, self._price, self._trade_id
        seconds = (end_ms - begin_ms) / 1000
        spread = _VOLATILITY_PER_SECOND * seconds**0.5
        trades = int(seconds * trades_per_second * (0.4 + 1.8 * rng.random()) + rng.random())
        if trades == 0:
            return Kline(begin_ms, end_ms - 1, close, close, close, close, 0, 0, 0, 0, 0, -1, -1)
        open_ = max(1, round(close * (1 + rng.gauss(0, spread))))
        high = max(open_, close) + int(close * spread * rng.random() * 0.7)
        low = max(1, min(open_, close) - int(close * spread * rng.random() * 0.7))
        size = self._typical_lots * _TRADES_PER_SECOND / trades_per_second
        volume = max(trades, int(trades * size * (0.5 + rng.random())))
        bought = int(volume * (0.35 + 0.3 * rng.random()))
        middle = (open_ + close + high + low) // 4
        return Kline(
            begin_ms, end_ms - 1, open_, high, low, close, volume, volume * middle, trades, bought,
            bought * middle, last_trade_id - trades + 1, last_trade_id,
        )  # fmt: skip
