import pytest

from millrace_simulator.market.fair import FairValues


def test_ratios_agree_with_each_other() -> None:
    """What ETH is worth in BTC is what both are worth in money, divided."""
    values = FairValues(1, ["ETH", "BTC"])
    for _ in range(100):
        values.move(1.0)
        assert values.ratio("ETH", "BTC") == pytest.approx(values.ratio("ETH", "USDT") / values.ratio("BTC", "USDT"))


def test_values_wander_slowly_and_come_back() -> None:
    """Over hours prices move by percents, not by multiples, and trends come and go."""
    values = FairValues(1, ["BTC"])
    ratios, trends = [], []
    for _ in range(4 * 36_000):
        values.move(1.0)
        ratios.append(values.ratio("BTC", "USDT"))
        trends.append(values.trend("BTC", "USDT"))
    assert 0.8 < min(ratios) < 0.998
    assert 1.002 < max(ratios) < 1.25
    assert 0.05 < sum(trend != 0 for trend in trends) / len(trends) < 0.5


def test_an_asset_moves_by_its_own_seed() -> None:
    """Another asset does not change an asset's walk."""
    alone, together = FairValues(1, ["BTC"]), FairValues(1, ["ADA", "BTC"])
    for _ in range(50):
        alone.move(1.0)
        together.move(1.0)
    assert alone.ratio("BTC", "USDT") == together.ratio("BTC", "USDT")
