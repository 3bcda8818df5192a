import itertools

from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline, Series

MINUTE = 60_000
TRADES = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(90, 110), st.integers(1, 9), st.booleans()), max_size=30
)


@given(TRADES)
def test_klines_are_what_the_trades_were(gaps: list[tuple[int, int, int, bool]]) -> None:
    """Each kline holds exactly the trades of its interval; empty ones are flat at the close before."""
    series, now, trades = Series(Interval.M1, 0, 100), 0, []
    for trade_id, (gap, price, quantity, maker) in enumerate(gaps, 1):
        now += gap
        trades.append((now, price, quantity))
        series.absorb(Kline.of_trade(now, price, quantity, trade_id, maker))
    klines = series.select(None, None, 10_000)
    close = 100
    for place, kline in enumerate(klines):
        assert (kline.open_ms, kline.close_ms) == (place * MINUTE, place * MINUTE + MINUTE - 1)
        held = [(price, quantity) for at, price, quantity in trades if kline.open_ms <= at <= kline.close_ms]
        prices = [close, *(price for price, _ in held)]
        assert kline.open == close
        assert (kline.high, kline.low, kline.close) == (max(prices), min(prices), prices[-1])
        assert kline.volume == sum(quantity for _, quantity in held)
        assert kline.quote_volume == sum(price * quantity for price, quantity in held)
        assert kline.trades == len(held)
        close = kline.close


def test_selection_is_by_opening_time() -> None:
    """From a start the oldest come, without one the newest; both bounds belong to the selection."""
    series = Series(Interval.M1, 0, 100)
    series.roll(10 * MINUTE)

    def minutes(start: int | None, end: int | None, limit: int) -> list[int]:
        bounds = [None if bound is None else bound * MINUTE for bound in (start, end)]
        return [kline.open_ms // MINUTE for kline in series.select(*bounds, limit)]

    assert minutes(None, None, 2) == [9, 10]
    assert minutes(3, None, 2) == [3, 4]
    assert minutes(3, 4, 100) == [3, 4]
    assert minutes(None, 4, 2) == [3, 4]
    assert minutes(50, None, 5) == []


def test_a_long_pause_leaves_no_gap_and_no_backlog() -> None:
    """Flat klines fill the silence; the oldest are dropped so that memory stays bounded."""
    series = Series(Interval.S1, 0, 100)
    for hour in range(1, 8):
        series.roll(hour * 3_600_000)
    klines = series.select(None, None, 100_000)
    assert 1_500 < len(klines) < 10_000
    assert all(later.open_ms == earlier.close_ms + 1 for earlier, later in itertools.pairwise(klines))
