"""The unit of a client's times: Binance's `timeUnit`, milliseconds unless the address asks for microseconds."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import msgspec

from millrace_simulator.binance import errors


class Time:
    """A time in an answer, which is written in the unit that its client asked for."""

    __slots__ = ("us",)

    def __init__(self, us: int) -> None:
        self.us = us

    @classmethod
    def of_ms(cls, time_ms: int) -> Time:
        """Return the beginning of a millisecond."""
        return cls(time_ms * 1000)

    @classmethod
    def end_of_ms(cls, time_ms: int) -> Time:
        """Return the last moment of a millisecond."""
        return cls(time_ms * 1000 + 999)


class TimeUnit(IntEnum):
    """The unit of times for a client; the value is the number of units in a millisecond."""

    MILLISECOND = 1
    MICROSECOND = 1000

    @classmethod
    def asked_for(cls, time_unit: str | None) -> TimeUnit:
        """Return the unit that a `timeUnit` parameter names; milliseconds for none and for any other."""
        return cls.MICROSECOND if (time_unit or "").upper() == cls.MICROSECOND.name else cls.MILLISECOND

    @classmethod
    def named(cls, time_unit: str | None) -> TimeUnit:
        """Return the unit that a request's header names; milliseconds for none.

        Raises:
            BinanceError: it names another (-1194).
        """
        unit = cls.__members__.get((time_unit or cls.MILLISECOND.name).upper())
        if unit is None:
            raise errors.invalid_time_unit()
        return unit

    def encode(self, answer: Any) -> bytes:
        """Return an answer's JSON with its times in this unit."""
        return _encoders[self](answer)

    def of_us(self, time_us: int) -> int:
        """Return a time of µs in this unit."""
        return time_us * self // 1000

    def of_ms(self, time_ms: int) -> int:
        """Return the beginning of a millisecond in this unit."""
        return time_ms * self

    def end_of_ms(self, time_ms: int) -> int:
        """Return the last moment of a millisecond in this unit."""
        return time_ms * self + self - 1


def _encoder(unit: TimeUnit) -> Callable[[Any], bytes]:
    def shown(value: Any) -> int:
        if not isinstance(value, Time):
            raise NotImplementedError(f"{type(value)} has no place in an answer")
        return unit.of_us(value.us)

    return msgspec.json.Encoder(enc_hook=shown).encode


_encoders = {unit: _encoder(unit) for unit in TimeUnit}
