"""Time zones, as hours ahead of UTC: `8`, `-1:00`, `05:45`."""

from __future__ import annotations

import re

from millrace_simulator.binance import errors
from millrace_simulator.binance.parameters import Parameters

_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")
_MINUTE_MS = 60_000
_WESTMOST, _EASTMOST = -12 * 60, 14 * 60


def read_time_zone(parameters: Parameters) -> int:
    """Return how far the zone that `timeZone` names is ahead of UTC, ms; 0 without one.

    Raises:
        BinanceError: it names none between -12:00 and +14:00 (-1130).
    """
    value = parameters.text("timeZone")
    if value is None:
        return 0
    found = _ZONE.fullmatch(value)
    if found is None:
        raise errors.invalid_value("timeZone")
    sign, hours, minutes = found.groups()
    ahead = int(hours) * 60 + int(minutes or 0)
    ahead = -ahead if sign == "-" else ahead
    if not _WESTMOST <= ahead <= _EASTMOST:
        raise errors.invalid_value("timeZone")
    return ahead * _MINUTE_MS
