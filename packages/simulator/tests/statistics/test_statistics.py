from __future__ import annotations

import itertools
from decimal import Decimal
from random import Random

import pytest

from millrace_simulator.statistics import LAST_TRADE_ID, Interval, Statistics

START_MS = 1_750_000_123_456
HOUR_MS = 3_600_000


class _Now:
    """The time as the test says."""

    ms = START_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def now() -> _Now:
    """A time that the test moves."""
    return _Now()


@pytest.fixture
def statistics(now: _Now) -> Statistics:
    """Statistics that open at 12.500."""
    return Statistics(opening=12_500, typical_lots=4_000, tick=Decimal("0.001"), rng=Random(1), now_ms=now)


@pytest.mark.parametrize("interval", Interval)
def test_the_past_has_no_gap_and_joins_the_opening(statistics: Statistics, interval: Interval) -> None:
    """Klines of every interval follow each other in time and price, up to the opening price now."""
    klines = statistics.klines(interval, limit=5_000)
    assert klines[-1].open_ms <= START_MS <= klines[-1].close_ms
    assert klines[-1].close == 12_500
    for earlier, later in itertools.pairwise(klines):
        assert later.open_ms == earlier.close_ms + 1
        assert later.open == earlier.close
    assert all(kline.low <= min(kline.open, kline.close) <= kline.high for kline in klines)


@pytest.mark.parametrize("interval", Interval)
def test_a_thousand_klines_are_there_from_the_start(statistics: Statistics, interval: Interval) -> None:
    """What a client asks for first, as many klines as an answer holds, is there at once in each interval."""
    assert len(statistics.klines(interval, limit=1_000)) == 1_000


@pytest.mark.parametrize("zone_ms", [8 * HOUR_MS, -12 * HOUR_MS, 5 * HOUR_MS + 45 * 60_000])
@pytest.mark.parametrize("interval", [Interval.M30, Interval.H4, Interval.D1, Interval.W1, Interval.MO1])
def test_klines_of_a_time_zone_begin_with_its_days(
    statistics: Statistics, now: _Now, interval: Interval, zone_ms: int
) -> None:
    """They join as those of UTC do, hold the same trades, and go on with every new one."""
    klines = statistics.klines(interval, limit=1_000, zone_ms=zone_ms)
    assert len(klines) > 900
    for earlier, later in itertools.pairwise(klines):
        assert later.open_ms == earlier.close_ms + 1 == interval.open_of(later.open_ms, zone_ms)
    minutes = statistics.klines(Interval.M1, limit=5_000)
    whole = next((kline for kline in reversed(klines[:-1]) if kline.open_ms >= minutes[0].open_ms), None)
    if whole is not None:
        inside = [each for each in minutes if whole.open_ms <= each.open_ms <= whole.close_ms]
        assert whole.volume == sum(each.volume for each in inside)
        assert whole.high == max(each.high for each in inside)
    now.ms += 1000
    statistics.add_trade(now.ms, 12_600, 5, LAST_TRADE_ID + 1, buyer_is_maker=False)
    assert statistics.kline(interval, zone_ms).close == 12_600


def test_klines_of_a_time_zone_do_not_depend_on_when_they_are_asked_for(now: _Now) -> None:
    """Asked for early and kept up to date, or built after the trades: the same days."""
    early, late = (
        Statistics(opening=12_500, typical_lots=4_000, tick=Decimal("0.001"), rng=Random(1), now_ms=now)
        for _ in range(2)
    )
    for step in range(50):
        early.kline(Interval.D1, 8 * HOUR_MS)
        now.ms += 1_000_000
        for statistics in (early, late):
            statistics.add_trade(now.ms, 12_500 + step % 7, 3, LAST_TRADE_ID + 1 + step, buyer_is_maker=False)
    assert late.klines(Interval.D1, limit=10, zone_ms=8 * HOUR_MS) == early.klines(
        Interval.D1, limit=10, zone_ms=8 * HOUR_MS
    )


def test_trade_ids_of_the_past_are_consecutive(statistics: Statistics) -> None:
    """From kline to kline trade ids continue, so that live ones can go on from there."""
    klines = [kline for kline in statistics.klines(Interval.M1, limit=5_000) if kline.trades]
    for earlier, later in itertools.pairwise(klines):
        assert later.first_trade_id == earlier.last_trade_id + 1
    assert klines[-1].last_trade_id == LAST_TRADE_ID


def test_a_trade_is_in_every_interval_at_once(statistics: Statistics, now: _Now) -> None:
    """Right after a trade each running kline closes at its price."""
    statistics.add_trade(now.ms, 12_600, 5, LAST_TRADE_ID + 1, buyer_is_maker=False)
    assert {statistics.kline(interval).close for interval in Interval} == {12_600}
    second = statistics.kline(Interval.S1)
    assert (second.volume, second.trades, second.taker_buy_volume) == (5, 1, 5)


def test_klines_roll_without_trades(statistics: Statistics, now: _Now) -> None:
    """When nothing trades, klines go on, flat, and the one before can still be asked for."""
    before = statistics.kline(Interval.M1)
    now.ms += 60_000
    after = statistics.kline(Interval.M1)
    assert after.open_ms == before.open_ms + 60_000
    assert (after.open, after.high, after.low, after.close, after.trades) == (12_500,) * 4 + (0,)
    assert statistics.kline_at(Interval.M1, before.open_ms) == before
    assert statistics.kline_at(Interval.M1, after.open_ms + 60_000) is None


def test_the_ticker_is_the_sum_of_its_minutes(statistics: Statistics, now: _Now) -> None:
    """The day's ticker says what the newest 1,440 one-minute klines say."""
    for step in range(200):
        now.ms += 1_700
        statistics.add_trade(now.ms, 12_500 + step, 3, LAST_TRADE_ID + 1 + step, buyer_is_maker=True)
        ticker = statistics.ticker()
        day = statistics.klines(Interval.M1, limit=1_440)
        assert (ticker.open, ticker.last) == (day[0].open, 12_500 + step)
        assert ticker.volume == sum(kline.volume for kline in day)
        assert ticker.quote_volume == sum(kline.quote_volume for kline in day)
        assert ticker.high == max(kline.high for kline in day)
        assert ticker.low == min(kline.low for kline in day)
        assert ticker.trades == ticker.last_trade_id - ticker.first_trade_id + 1


def test_the_average_price_weighs_by_volume(statistics: Statistics, now: _Now) -> None:
    """Five minutes' trades count by their volume; when nothing traded, the last price counts."""
    now.ms += 600_000
    assert statistics.average_price().price == Decimal("12.5")
    statistics.add_trade(now.ms, 10_000, 3, 1, buyer_is_maker=False)
    statistics.add_trade(now.ms, 20_000, 1, 2, buyer_is_maker=False)
    average = statistics.average_price()
    assert (average.price, average.close_ms, average.minutes) == (Decimal("12.5"), now.ms, 5)


def test_when_the_past_is_worked_out_changes_nothing(now: _Now) -> None:
    """Asked at once or only after many trades, klines are the same."""
    early, late = (
        Statistics(opening=12_500, typical_lots=4_000, tick=Decimal("0.001"), rng=Random(1), now_ms=now)
        for _ in range(2)
    )
    early.prepare()
    for step in range(700):
        now.ms += 900
        for statistics in (early, late):
            statistics.add_trade(now.ms, 12_500 + step % 7, 3, LAST_TRADE_ID + 1 + step, buyer_is_maker=False)
        if step % 10 == 0:
            early.prepare()
    for interval in Interval:
        assert late.klines(interval, limit=5_000) == early.klines(interval, limit=5_000)
