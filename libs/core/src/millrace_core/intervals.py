"""Where intervals open: weeks on Monday and months on the first, as at exchanges; all others by their length. Pure."""

from typing import Any, Final, Self

import msgspec

from millrace_core.clock import DAY_MS, MINUTE_MS

WEEK_MS: Final = 7 * DAY_MS
_FIRST_MONDAY_MS: Final = 4 * DAY_MS
"""1970 began on a Thursday."""
_HALF_DAY_MS: Final = DAY_MS // 2
_MONTH: Final = "M"
_UNITS_MS: Final = {"s": 1_000, "m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS, "w": WEEK_MS}
_DAYS_BEFORE_1970: Final = 719_468
"""Since 1 March of the year 0. Years are counted from March on here, so that a leap day is the last of its year."""
_MONTHS_BEFORE_1970: Final = 12 * 1970 - 2
_DAYS_OF_400_YEARS: Final = 146_097
_DAYS_OF_4_YEARS: Final = 1_461
_DAYS_OF_5_MONTHS: Final = 153
"""From March on, and again from August on."""
_MOST_DIGITS: Final = 3


class Interval(msgspec.Struct, frozen=True):
    """An interval of time (UTC): of a fixed length, or a number of calendar months.

    Lengths are counted from 1970 on, whole weeks from its first Monday, and months from its January: `3M` opens in
    January, April, July and October. Each moment lies in exactly one interval.

    Raises:
        ValueError: it is not longer than 0, or has a length and months.
    """

    length_ms: int = 0
    """0 for months."""
    months: int = 0
    """0 for a fixed length."""

    def __post_init__(self) -> None:
        if min(self.length_ms, self.months) < 0 or (self.length_ms > 0) == (self.months > 0):
            raise ValueError("an interval must be longer than 0, and either a number of ms or of months")

    @classmethod
    def of(cls, number: int, unit: str) -> Self:
        """Return an interval of a number of `s`, `m`, `h`, `d`, `w` or `M`.

        Raises:
            ValueError: the number is not above 0.
        """
        return cls(months=number) if unit == _MONTH else cls(length_ms=number * _UNITS_MS[unit])

    @classmethod
    def parse(cls, timeframe: str) -> Self:
        """Return the interval of a timeframe in ccxt's notation, such as `10s`, `1m`, `1d` or `1M`.

        Raises:
            ValueError: it is no timeframe.
        """
        number, unit = timeframe[:-1], timeframe[-1:]
        is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS and int(number) > 0
        if not is_number or unit not in (*_UNITS_MS, _MONTH):
            raise ValueError(f"{timeframe!r} is no timeframe; one is a number with s, m, h, d, w or M, such as 1m")
        return cls.of(int(number), unit)

    @property
    def longest_ms(self) -> int:
        """The length, ms; of months that which no interval exceeds."""
        return self.length_ms or self.months * 31 * DAY_MS

    def is_whole(self, unit_ms: int) -> bool:
        """Tell whether every interval consists of whole units, such as minutes; a unit is a part of a day."""
        return self.length_ms % unit_ms == 0

    def number_of(self, at_ms: Any) -> Any:
        """Return the number of the interval in which a moment lies; the next one has the next number.

        The moment is an int, or an SQL expression of one from 1970 on; then the number is an expression too, so that a
        database groups by the same intervals.
        """
        if self.months:
            return _month_of(at_ms // DAY_MS) // self.months
        return (at_ms - self._first_ms) // self.length_ms

    def open_of(self, at_ms: int) -> int:
        """Return when the interval opened in which a moment lies, ms."""
        return self._opens(self.number_of(at_ms))

    def next_open(self, open_ms: int) -> int:
        """Return when the interval ends that opened at `open_ms`, ms.

        It may have opened at midnight of another time zone, as candles of some exchanges do; then it ends there too.
        """
        if self.length_ms:
            return open_ms + self.length_ms
        number = self.number_of(open_ms + _HALF_DAY_MS)
        return self._opens(number + 1) + open_ms - self._opens(number)

    def first_open_from(self, at_ms: int) -> int:
        """Return when the first interval opens at a moment or later, ms."""
        return self._opens(self.number_of(at_ms - 1) + 1)

    @property
    def _first_ms(self) -> int:
        """When the interval with the number 0 opens; no later than 1970, since databases round towards 0."""
        return _FIRST_MONDAY_MS - self.length_ms if self.length_ms % WEEK_MS == 0 else 0

    def _opens(self, number: int) -> int:
        if self.months:
            return _first_day(number * self.months) * DAY_MS
        return self._first_ms + number * self.length_ms


def _month_of(day: Any) -> Any:
    """Return in which month a day lies, both counted since 1970; by whole numbers only, as a database can."""
    quarters = 4 * (day + _DAYS_BEFORE_1970) + 3
    century = quarters // _DAYS_OF_400_YEARS
    quarters = 4 * (quarters % _DAYS_OF_400_YEARS // 4) + 3
    year, day_of_year = quarters // _DAYS_OF_4_YEARS, quarters % _DAYS_OF_4_YEARS // 4
    return 1_200 * century + 12 * year + (5 * day_of_year + 2) // _DAYS_OF_5_MONTHS - _MONTHS_BEFORE_1970


def _first_day(month: int) -> int:
    """Return the first day of a month, both counted since 1970."""
    year, month_of_year = divmod(month + _MONTHS_BEFORE_1970, 12)
    leap_days = year // 4 - year // 100 + year // 400
    return 365 * year + leap_days + (_DAYS_OF_5_MONTHS * month_of_year + 2) // 5 - _DAYS_BEFORE_1970
