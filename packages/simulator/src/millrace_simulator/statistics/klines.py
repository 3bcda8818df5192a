"""Klines: open, high, low, close and volume of each interval, without gaps."""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct

from millrace_simulator.statistics.intervals import Interval

KEPT = 1500
"""Past klines of an interval that are kept at least."""


class Kline(Struct, frozen=True, gc=False):
    """The trades of one interval; prices in ticks, volumes in lots, quote volumes in ticks × lots.

    Without a trade it is flat at the close before it, with no volume.
    """

    open_ms: int
    close_ms: int
    """The last ms that belongs to it."""
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_volume: int
    taker_buy_quote_volume: int
    first_trade_id: int
    """-1 without a trade."""
    last_trade_id: int
    """-1 without a trade."""

    @staticmethod
    def of_trade(time_ms: int, price: int, quantity: int, trade_id: int, buyer_is_maker: bool) -> Kline:
        """Return one trade as a kline of one ms."""
        quote = price * quantity
        taker = (0, 0) if buyer_is_maker else (quantity, quote)
        return Kline(time_ms, time_ms, price, price, price, price, quantity, quote, 1, *taker, trade_id, trade_id)


class Bar:
    """A kline that still grows."""

    __slots__ = (
        "close", "first", "high", "last", "low", "next_ms", "open", "open_ms", "quote", "taker_quote", "taker_volume",
        "trades", "volume",
    )  # fmt: skip

    def __init__(self, open_ms: int, next_ms: int, price: int) -> None:
        self.open_ms = open_ms
        self.next_ms = next_ms
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote = self.trades = self.taker_volume = self.taker_quote = 0
        self.first = self.last = -1

    def merge(self, part: Kline) -> None:
        """Add a later part of the interval."""
        if part.trades == 0:
            return
        if self.trades == 0:
            self.first = part.first_trade_id
        self.last = part.last_trade_id
        if part.high > self.high:
            self.high = part.high
        if part.low < self.low:
            self.low = part.low
        self.close = part.close
        self.volume += part.volume
        self.quote += part.quote_volume
        self.trades += part.trades
        self.taker_volume += part.taker_buy_volume
        self.taker_quote += part.taker_buy_quote_volume

    def frozen(self) -> Kline:
        """Return the present kline."""
        return Kline(
            self.open_ms, self.next_ms - 1, self.open, self.high, self.low, self.close, self.volume, self.quote,
            self.trades, self.taker_volume, self.taker_quote, self.first, self.last,
        )  # fmt: skip


class Series:
    """The klines of one interval, oldest first, the last one still growing."""

    def __init__(self, interval: Interval, time_ms: int, price: int, zone_ms: int = 0) -> None:
        self.interval = interval
        self.closed: list[Kline] = []
        self._most = 3 * KEPT
        self._zone_ms = zone_ms
        self._running = self._bar(interval.open_of(time_ms, zone_ms), price)

    @classmethod
    def of_past(cls, interval: Interval, whole: list[Kline], parts: list[Kline], zone_ms: int = 0) -> Series:
        """Return the given klines, followed by klines built from the finer parts after them."""
        first = (whole or parts)[0]
        series = cls(interval, first.open_ms, first.open, zone_ms)
        if whole:
            series.closed = whole[:-1]
            series._most = max(series._most, len(whole) + KEPT)
            series._running = series._bar(whole[-1].open_ms, whole[-1].open)
            series._running.merge(whole[-1])
        for part in parts:
            series.absorb(part)
        return series

    def absorb(self, part: Kline) -> None:
        """Take in a part that lies within one interval; parts come in order of time."""
        if part.open_ms >= self._running.next_ms:
            self.roll(part.open_ms)
        self._running.merge(part)

    def roll(self, now_ms: int) -> None:
        """Close the intervals that are over; those without a trade become flat klines."""
        while now_ms >= self._running.next_ms:
            self.closed.append(self._running.frozen())
            self._running = self._bar(self._running.next_ms, self._running.close)
        if len(self.closed) > self._most:
            del self.closed[: KEPT - self._most]

    @property
    def running(self) -> Kline:
        """Return the unfinished kline."""
        return self._running.frozen()

    def select(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[Kline]:
        """Return the klines that begin in a time range: the oldest `limit` from `start_ms` on, else the newest."""
        found = [*self.closed, self.running]
        if end_ms is not None:
            found = found[: bisect_left(found, end_ms + 1, key=_opening)]
        if start_ms is None:
            return found[-limit:] if limit else []
        first = bisect_left(found, start_ms, key=_opening)
        return found[first : first + limit]

    def _bar(self, open_ms: int, price: int) -> Bar:
        return Bar(open_ms, self.interval.next_open(open_ms, self._zone_ms), price)


def _opening(kline: Kline) -> int:
    return kline.open_ms
