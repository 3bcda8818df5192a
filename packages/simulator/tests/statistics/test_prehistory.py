import itertools
from random import Random

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline
from millrace_simulator.statistics.prehistory import FAR_TIERS, NEAR_TIERS, Prehistory

NOW_MS = 1_750_000_123_456


def prehistory(rng: Random, opening: int, typical_lots: int, now_ms: int) -> dict[Interval, list[Kline]]:
    """Return all tiers."""
    return Prehistory(rng, opening, typical_lots, now_ms).walk((*NEAR_TIERS, *FAR_TIERS))


def test_tiers_join_in_time_and_price() -> None:
    """Where a fine tier begins, the coarser one ends: at the same time, at the same price, with the next trade id."""
    tiers = prehistory(Random(1), 12_500, 4_000, NOW_MS)
    klines = [kline for tier in reversed(tiers.values()) for kline in tier]
    for earlier, later in itertools.pairwise(klines):
        assert (later.open_ms, later.open) == (earlier.close_ms + 1, earlier.close)
    ids = [kline.first_trade_id for kline in klines if kline.trades]
    assert ids == sorted(ids) and ids[0] > 0
    assert klines[-1].close == 12_500
    assert klines[-1].close_ms < NOW_MS


def test_the_same_seed_makes_the_same_past() -> None:
    """The past is decided by its seed alone, and another seed makes another."""
    past = prehistory(Random(1), 12_500, 4_000, NOW_MS)
    assert prehistory(Random(1), 12_500, 4_000, NOW_MS) == past
    assert prehistory(Random(2), 12_500, 4_000, NOW_MS) != past


def test_prices_stay_above_zero() -> None:
    """A price of a few ticks has a past of at least one tick."""
    tiers = prehistory(Random(1), 2, 10, NOW_MS)
    assert all(kline.low >= 1 for tier in tiers.values() for kline in tier)
