"""Binance's kline intervals and where each kline begins."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_FIRST_MONDAY = 4 * _DAY  # the epoch was a Thursday


class Interval(StrEnum):
    """The length of a kline; the names are Binance's."""

    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MO1 = "1M"

    def open_of(self, time_ms: int, zone_ms: int = 0) -> int:
        """Return when the kline that holds this time begins, ms; weeks begin on Monday.

        Days, weeks and months are those of a time zone that is `zone_ms` ahead of UTC; so are hours and minutes.
        """
        if self is Interval.MO1:
            return _month_of(time_ms + zone_ms, 0) - zone_ms
        length = _LENGTHS[self]
        offset = (_FIRST_MONDAY if self is Interval.W1 else 0) - zone_ms
        return (time_ms - offset) // length * length + offset

    def next_open(self, open_ms: int, zone_ms: int = 0) -> int:
        """Return when the kline after the one that begins at `open_ms` begins, ms."""
        return _month_of(open_ms + zone_ms, 1) - zone_ms if self is Interval.MO1 else open_ms + _LENGTHS[self]

    def shifts(self, zone_ms: int) -> bool:
        """Tell whether klines of this length begin at other times in such a zone than in UTC."""
        return self is Interval.MO1 or zone_ms % _LENGTHS[self] != 0


_LENGTHS = {
    Interval.S1: _SECOND,
    Interval.M1: _MINUTE,
    Interval.M3: 3 * _MINUTE,
    Interval.M5: 5 * _MINUTE,
    Interval.M15: 15 * _MINUTE,
    Interval.M30: 30 * _MINUTE,
    Interval.H1: _HOUR,
    Interval.H2: 2 * _HOUR,
    Interval.H4: 4 * _HOUR,
    Interval.H6: 6 * _HOUR,
    Interval.H8: 8 * _HOUR,
    Interval.H12: 12 * _HOUR,
    Interval.D1: _DAY,
    Interval.D3: 3 * _DAY,
    Interval.W1: 7 * _DAY,
}


def _month_of(time_ms: int, later: int) -> int:
    """Return the first ms of this time's month, or of the one that is `later` (0 or 1) months on."""
    now = datetime.fromtimestamp(time_ms / 1000, UTC)
    months = now.year * 12 + now.month - 1 + later
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
