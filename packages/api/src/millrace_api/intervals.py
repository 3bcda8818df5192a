"""Intervals of candles: `90s`, `5m`, `4h`, `1d`, or ms."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_FORM = re.compile(r"([1-9][0-9]{0,14})([smhdw]?)")
LONGEST_MS = 366 * 86_400_000


def parse_interval(value: object) -> int:
    """Read an interval, ms.

    Raises:
        ValueError: it has another form, or is shorter than 1 ms or longer than a year.
    """
    match = _FORM.fullmatch(str(value))
    if match is None:
        raise ValueError("must be a number of s, m, h, d or w, such as 5m, or of ms")
    ms = int(match[1]) * _UNITS.get(match[2], 1)
    if ms > LONGEST_MS:
        raise ValueError("must not be longer than a year")
    return ms


Interval = Annotated[
    int,
    BeforeValidator(parse_interval),
    WithJsonSchema({"type": "string", "pattern": f"^{_FORM.pattern}$", "examples": ["5m", "90s", "250"]}),
]
"""An interval in a query, ms once it is read."""
