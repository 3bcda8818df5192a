"""A believable past for a market that has just opened: klines that end at the opening price.

The past is walked backwards in four tiers, fine near the opening and coarse long before it. Where a tier begins,
the next coarser one ends, so that all of them join; coarser klines are put together from finer ones.
"""

from __future__ import annotations

from random import Random

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline

_TIERS = (
    (Interval.S1, Interval.M1, 1_200),
    (Interval.M1, Interval.M15, 3_000),
    (Interval.M15, Interval.D1, 2_000),
    (Interval.D1, Interval.D1, 1_000),
)
"""Step of the tier, the boundary on which it begins, and at least how many steps it holds."""

LAST_TRADE_ID = 100_000_000
"""The id of the last trade before the opening; those before it count down."""

_VOLATILITY_PER_SECOND = 0.00004
_TRADES_PER_SECOND = 0.4


def prehistory(
    rng: Random, opening: int, typical_lots: int, now_ms: int, trade_id: int = LAST_TRADE_ID
) -> dict[Interval, list[Kline]]:
    """Return the past by tiers, each oldest first, up to the second before `now_ms`, whose last trade is `trade_id`."""
    tiers: dict[Interval, list[Kline]] = {}
    end_ms, price = Interval.S1.open_of(now_ms), opening
    for step, boundary, count in _TIERS:
        length = step.next_open(0)
        begin_ms = boundary.open_of(end_ms - count * length)
        klines: list[Kline] = []
        for at in range(end_ms, begin_ms, -length):
            kline = _before(rng, at, length, price, typical_lots, trade_id)
            klines.append(kline)
            price = kline.open
            trade_id -= kline.trades
        end_ms = begin_ms
        klines.reverse()
        tiers[step] = klines
    return tiers


def _before(rng: Random, end_ms: int, length_ms: int, close: int, typical_lots: int, last_trade_id: int) -> Kline:
    """Return a kline that ends at a time, a price and a trade."""
    seconds = length_ms / 1000
    spread = _VOLATILITY_PER_SECOND * seconds**0.5
    trades = int(seconds * _TRADES_PER_SECOND * (0.4 + 1.8 * rng.random()) + rng.random())
    if trades == 0:
        return Kline(end_ms - length_ms, end_ms - 1, close, close, close, close, 0, 0, 0, 0, 0, -1, -1)
    open_ = max(1, round(close * (1 + rng.gauss(0, spread))))
    high = max(open_, close) + int(close * spread * rng.random() * 0.7)
    low = max(1, min(open_, close) - int(close * spread * rng.random() * 0.7))
    volume = max(trades, int(trades * typical_lots * (0.5 + rng.random())))
    bought = int(volume * (0.35 + 0.3 * rng.random()))
    middle = (open_ + close + high + low) // 4
    return Kline(
        end_ms - length_ms, end_ms - 1, open_, high, low, close, volume, volume * middle, trades, bought,
        bought * middle, last_trade_id - trades + 1, last_trade_id,
    )  # fmt: skip
