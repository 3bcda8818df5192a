"""All the statistics of one symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from random import Random

from msgspec import Struct

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Bar, Kline, Series
from millrace_simulator.statistics.prehistory import FAR_TIERS, LAST_TRADE_ID, NEAR_TIERS, Prehistory

_DAY_MINUTES = 1440
_AVERAGE_MINUTES = 5
_PLACES = Decimal("1e-8")
_MOST_PARTS = 600
"""Seconds that are kept at most."""

_NEAR_SOURCES = {
    Interval.S1: None,
    Interval.M1: Interval.S1,
    Interval.M3: Interval.M1,
    Interval.M5: Interval.M1,
    Interval.M15: Interval.M5,
    Interval.M30: Interval.M15,
    Interval.H1: Interval.M30,
}
"""The finer interval from which an interval's past is built."""
_FAR_SOURCES = {
    Interval.H2: Interval.H1,
    Interval.H4: Interval.H2,
    Interval.H6: Interval.H2,
    Interval.H8: Interval.H4,
    Interval.H12: Interval.H4,
    Interval.D1: Interval.H12,
    Interval.D3: Interval.D1,
    Interval.W1: Interval.D1,
    Interval.MO1: Interval.D1,
}
_ZONE_SOURCES = (
    Interval.D1,
    Interval.H4,
    Interval.H2,
    Interval.H1,
    Interval.M30,
    Interval.M15,
    Interval.M5,
    Interval.M1,
)
"""What klines of a time zone are built from, the coarsest first."""
_MOST_ZONED = 32
"""Intervals in time zones that are kept up to date."""
_JOINING_HOURS = 3000
"""Before so many hours have passed, the far past must have joined them: later the oldest are dropped."""


class DayTicker(Struct, frozen=True, kw_only=True):
    """The last 24 hours; prices in ticks, volumes in lots, `quote_volume` in ticks × lots."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    last: int
    last_quantity: int
    previous_close: int
    """The last price before the window."""
    volume: int
    quote_volume: int
    weighted_average: Decimal
    trades: int
    first_trade_id: int
    last_trade_id: int

    @property
    def change(self) -> int:
        """`last` - `open`, in ticks; may be negative."""
        return self.last - self.open

    @property
    def change_percent(self) -> float:
        """Return the change in percent of the open."""
        return 100 * (self.last - self.open) / self.open


class AveragePrice(Struct, frozen=True):
    """The volume-weighted price of the last minutes."""

    minutes: int
    price: Decimal
    close_ms: int
    """Time of the last trade."""


class Statistics:
    """Klines, ticker and average price of a symbol, always as of the venue's clock.

    Trades gather in one bar a second and reach the klines when they are queried, so that a trade costs the same however
    many intervals there are. The past before the opening, too, is worked out only then (about 50 ms), or by `prepare`,
    and the far past with the first query for longer klines than hours; when that happens makes no difference to what
    it is.
    """

    def __init__(
        self, *, opening: int, typical_lots: int, tick: Decimal, rng: Random, now_ms: Callable[[], int]
    ) -> None:
        self._now_ms = now_ms
        self._tick = tick
        self._places = min(_PLACES, tick)
        self.last_quantity = typical_lots
        """Lots of the last trade; before the first, a usual one."""
        self._last_trade_ms = now_ms()
        self._past = (rng, opening, typical_lots, self._last_trade_ms, LAST_TRADE_ID)
        self._pending: Bar | None = None
        self._parts: list[Kline] = []
        self._day: tuple[int, Kline, int] | None = None
        self._zoned: dict[tuple[Interval, int], Series] = {}

    def open(self, opening: int, last_trade_id: int, now_ms: int) -> None:
        """Let the past before the opening end at this price, trade and time; for a market that goes on."""
        rng, _, typical_lots, _, _ = self._past
        self._past = (rng, opening, typical_lots, now_ms, last_trade_id)

    @cached_property
    def _prehistory(self) -> Prehistory:
        return Prehistory(*self._past)

    @cached_property
    def _series(self) -> dict[Interval, Series]:
        series: dict[Interval, Series] = {}
        _add_past(series, _NEAR_SOURCES, self._prehistory.walk(NEAR_TIERS))
        return series

    def prepare(self) -> None:
        """Compute in advance for the next query."""
        self._flush()
        for series in (*self._series.values(), *self._zoned.values()):
            for part in self._parts:
                series.absorb(part)
        self._parts.clear()
        if len(self._series[Interval.H1].closed) > _JOINING_HOURS:
            self._reach_far()

    def _reach_far(self) -> None:
        if Interval.H2 not in self._series:
            _add_past(self._series, _FAR_SOURCES, self._prehistory.walk(FAR_TIERS))

    def add_trade(self, time_ms: int, price: int, quantity: int, trade_id: int, buyer_is_maker: bool) -> None:
        """Count a trade; trades come in order of time."""
        pending = self._pending
        if pending is None or time_ms >= pending.next_ms:
            self._flush()
            if len(self._parts) >= _MOST_PARTS:
                self.prepare()
            open_ms = Interval.S1.open_of(time_ms)
            pending = self._pending = Bar(open_ms, open_ms + 1000, price)
        pending.merge(Kline.of_trade(time_ms, price, quantity, trade_id, buyer_is_maker))
        self.last_quantity = quantity
        self._last_trade_ms = time_ms

    def klines(
        self,
        interval: Interval,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        zone_ms: int = 0,
    ) -> list[Kline]:
        """Return klines, oldest first, at most `limit`; those of a time zone that is `zone_ms` ahead of UTC.

        From `start_ms` on when it is given, else the newest (up to `end_ms`). They have no gaps, and the last is the
        running one. There is a prehistory of at least 1,000 klines of each interval.
        """
        return self._current(interval, zone_ms).select(start_ms, end_ms, limit)

    def kline(self, interval: Interval, zone_ms: int = 0) -> Kline:
        """Return the running kline."""
        return self._current(interval, zone_ms).running

    def kline_at(self, interval: Interval, open_ms: int, zone_ms: int = 0) -> Kline | None:
        """Return the kline that begins at a time; None when it is not kept."""
        found = self._current(interval, zone_ms).select(open_ms, open_ms, 1)
        return found[0] if found else None

    def ticker(self) -> DayTicker:
        """Return the last 24 hours, in whole minutes: the running one and the 1,439 before it."""
        series = self._current(Interval.M1)
        day = Bar(0, 0, series.closed[-1].close)
        past, previous_close = self._past_day(series)
        running = series.running
        day.open, day.high, day.low = past.open, past.high, past.low
        day.merge(past)
        day.merge(running)
        average = Decimal(day.quote) / Decimal(day.volume) if day.volume else Decimal(running.close)
        return DayTicker(
            open_ms=past.open_ms,
            close_ms=self._now_ms(),
            open=day.open,
            high=day.high,
            low=day.low,
            last=running.close,
            last_quantity=self.last_quantity,
            previous_close=previous_close,
            volume=day.volume,
            quote_volume=day.quote,
            weighted_average=(average * self._tick).quantize(self._places),
            trades=day.trades,
            first_trade_id=day.first,
            last_trade_id=day.last,
        )

    def average_price(self) -> AveragePrice:
        """Return the volume-weighted price of the last 5 minutes; the last price when nothing traded."""
        series = self._current(Interval.M1)
        recent = [*series.closed[1 - _AVERAGE_MINUTES :], series.running]
        volume = sum(kline.volume for kline in recent)
        quote = sum(kline.quote_volume for kline in recent)
        ticks = Decimal(quote) / Decimal(volume) if volume else Decimal(recent[-1].close)
        return AveragePrice(_AVERAGE_MINUTES, (ticks * self._tick).quantize(self._places), self._last_trade_ms)

    def _past_day(self, series: Series) -> tuple[Kline, int]:
        """Return the closed minutes of the last 24 hours as one kline, and the close before; cached for a minute."""
        newest_ms = series.closed[-1].open_ms
        if self._day is None or self._day[0] != newest_ms:
            minutes = series.closed[1 - _DAY_MINUTES :]
            day = Bar(minutes[0].open_ms, newest_ms + 60_000, minutes[0].open)
            for minute in minutes:
                day.merge(minute)
            self._day = (newest_ms, day.frozen(), series.closed[-_DAY_MINUTES].close)
        return self._day[1], self._day[2]

    def _current(self, interval: Interval, zone_ms: int = 0) -> Series:
        self.prepare()
        if interval in _FAR_SOURCES:
            self._reach_far()
        series = self._in_zone(interval, zone_ms) if zone_ms and interval.shifts(zone_ms) else self._series[interval]
        series.roll(self._now_ms())
        return series

    def _in_zone(self, interval: Interval, zone_ms: int) -> Series:
        series = self._zoned.pop((interval, zone_ms), None) or _zoned(self._series, interval, zone_ms)
        # The one asked for last comes last, and the first goes where they become many.
        self._zoned[interval, zone_ms] = series
        if len(self._zoned) > _MOST_ZONED:
            del self._zoned[next(iter(self._zoned))]
        return series

    def _flush(self) -> None:
        """Close the running second; later trades of the same second become another part."""
        if self._pending is not None:
            self._parts.append(self._pending.frozen())
            self._pending = None


def _add_past(
    series: dict[Interval, Series], sources: Mapping[Interval, Interval | None], tiers: dict[Interval, list[Kline]]
) -> None:
    """Add intervals' klines up to now, each from its tier and from the klines of its source."""
    for interval, source in sources.items():
        parts = _whole(series[source], interval) if source is not None else []
        series[interval] = Series.of_past(interval, tiers.get(interval, []), parts)


def _zoned(series: Mapping[Interval, Series], interval: Interval, zone_ms: int) -> Series:
    """Return an interval's klines in a time zone: from the finest there are, as far back as each of them goes.

    Before finer ones begin, a kline of UTC counts to the one of the zone in which it begins.
    """
    parts: list[Kline] = []
    sources = [each for each in _ZONE_SOURCES if each in series and each.next_open(0) < interval.next_open(0)]
    for source in (interval, *sources):
        finer = [*series[source].closed, series[source].running]
        begin_ms = finer[0].open_ms
        parts = [part for part in parts if part.close_ms < begin_ms] + finer
    return Series.of_past(interval, [], parts, zone_ms)


def _whole(finer: Series, interval: Interval) -> list[Kline]:
    """Return the finer klines, from the first whole interval on."""
    klines = [*finer.closed, finer.running]
    first_ms = klines[0].open_ms
    begin_ms = interval.open_of(first_ms)
    if begin_ms < first_ms:
        begin_ms = interval.next_open(begin_ms)
    return [kline for kline in klines if kline.open_ms >= begin_ms]
