"""A believable past for a market that has just opened: klines that end at the opening price.

The past is walked backwards in four tiers, fine near the opening and coarse long before it. Where a tier begins,
the next coarser one ends, so that all of them join; coarser klines are put together from finer ones.
"""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline

_TIERS = (
    (Interval.S1, Interval.M1, 1_200),
    (Interval.M1, Interval.M15, 3_000),
    (Interval.M15, Interval.D1, 2_000),
    (Interval.D1, Interval.D1, 1_000),
)
"""Step of the tier, the boundary on which it begins, and at least how many steps it holds."""

_VOLATILITY_PER_SECOND = 0.00004
_TRADES_PER_SECOND = 0.4


def prehistory(rng: Random, opening: int, typical_lots: int, now_ms: int) -> dict[Interval, list[Kline]]:
    """The past by tiers, the coarsest and oldest first, up to the second before `now_ms`; trade ids count from 1."""
    tiers: dict[Interval, list[Kline]] = {}
    end_ms, price = Interval.S1.open_of(now_ms), opening
    for step, boundary, count in _TIERS:
        length = step.next_open(0)
        begin_ms = boundary.open_of(end_ms - count * length)
        klines = [_before(rng, at, length, price, typical_lots) for at in (end_ms,)]
        for at in range(end_ms - length, begin_ms, -length):
            klines.append(_before(rng, at, length, klines[-1].open, typical_lots))
        end_ms, price = begin_ms, klines[-1].open
        klines.reverse()
        tiers[step] = klines
    return _numbered(tiers)


def _before(rng: Random, end_ms: int, length_ms: int, close: int, typical_lots: int) -> Kline:
    """A kline that ends at a time and a price."""
    seconds = length_ms / 1000
    spread = _VOLATILITY_PER_SECOND * seconds**0.5
    open_ = max(1, round(close * (1 + rng.gauss(0, spread))))
    high = max(open_, close) + int(close * spread * rng.random() * 0.7)
    low = max(1, min(open_, close) - int(close * spread * rng.random() * 0.7))
    trades = int(seconds * _TRADES_PER_SECOND * rng.uniform(0.4, 2.2) + rng.random())
    if trades == 0:
        return Kline(end_ms - length_ms, end_ms - 1, close, close, close, close, 0, 0, 0, 0, 0, -1, -1)
    volume = max(trades, int(trades * typical_lots * rng.uniform(0.5, 1.5)))
    bought = int(volume * rng.uniform(0.35, 0.65))
    middle = (open_ + close + high + low) // 4
    return Kline(
        end_ms - length_ms, end_ms - 1, open_, high, low, close, volume, volume * middle, trades, bought,
        bought * middle, 0, 0,
    )  # fmt: skip


def _numbered(tiers: dict[Interval, list[Kline]]) -> dict[Interval, list[Kline]]:
    """Give the trades of all tiers consecutive ids, oldest first."""
    last = 0
    numbered: dict[Interval, list[Kline]] = {}
    for step, klines in reversed(tiers.items()):
        numbered[step] = []
        for kline in klines:
            if kline.trades:
                kline = replace(kline, first_trade_id=last + 1, last_trade_id=last + kline.trades)
                last += kline.trades
            numbered[step].append(kline)
    return numbered
