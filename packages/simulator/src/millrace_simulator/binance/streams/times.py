"""The unit of a client's times: Binance's `timeUnit`, milliseconds unless the address asks for microseconds."""

from __future__ import annotations

from enum import IntEnum


class TimeUnit(IntEnum):
    """The unit of times for a client; the value is the number of units in a millisecond."""

    MILLISECOND = 1
    MICROSECOND = 1000

    @classmethod
    def asked_for(cls, time_unit: str | None) -> TimeUnit:
        """Return the unit that a `timeUnit` parameter names; milliseconds for none and for any other."""
        return cls.MICROSECOND if (time_unit or "").upper() == cls.MICROSECOND.name else cls.MILLISECOND

    def of_us(self, time_us: int) -> int:
        """Return a time of µs in this unit."""
        return time_us * self // 1000

    def of_ms(self, time_ms: int) -> int:
        """Return the beginning of a millisecond in this unit."""
        return time_ms * self

    def end_of_ms(self, time_ms: int) -> int:
        """Return the last moment of a millisecond in this unit."""
        return time_ms * self + self - 1
