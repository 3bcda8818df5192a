"""Timestamps and intervals in queries.

A timestamp is ISO-8601 or ms since 1970; an interval is `90s`, `5m`, `4h`, `1d` or ms.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from millrace_core.clock import DAY_MS, LATEST_MS, MINUTE_MS


def parse_timestamp(value: object) -> int:
    """Return a timestamp in ms; one without a time zone is UTC.

    Raises:
        ValueError: it is neither form, or lies outside 1970 to 9999; the text says what would be right.
    """
    ms = _ms(str(value))
    if not 0 <= ms <= LATEST_MS:
        raise ValueError("must lie between 1970 and 9999")
    return ms


def _ms(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return _plausible(text)
    try:
        # A plus that nobody escaped in a query arrives as a space.
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
    except ValueError as error:
        raise ValueError("must be ISO-8601, such as 2026-01-31T12:00:00Z, or ms since 1970") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    try:
        return int(at.timestamp() * 1_000 + 0.5)
    except (OverflowError, ValueError) as error:
        raise ValueError("must lie between 1970 and 9999") from error


def _plausible(text: str) -> int:
    """Return ms since 1970; a number that is rather a date, seconds or µs is a mistake that nobody would see.

    Raises:
        ValueError: it means a moment before any exchange, or one of the far future.
    """
    ms = int(text[:20])
    if ms and not _EARLIEST_MS <= ms <= _LATEST_NUMBER_MS:
        raise ValueError(
            f"must be ms since 1970, and {text[:20]} is a moment before 2000 or after 2286: write a date as 2026-11-27 "
            "or 2026-11-27T12:00:00Z, and seconds times 1000"
        )
    return ms


_EARLIEST_MS: Final = 946_684_800_000
"""2000. A smaller number is seconds, a date or a date with hours and minutes."""
_LATEST_NUMBER_MS: Final = 9_999_999_999_999
"""2286. A larger number is µs, ns or a date with a time to the second."""
_TIMESTAMP_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": _LATEST_NUMBER_MS},
        {"type": "string", "format": "date-time"},
    ],
    "examples": ["2026-01-31T12:00:00Z", 1769860800000],
}

Timestamp = Annotated[int, BeforeValidator(parse_timestamp), WithJsonSchema(_TIMESTAMP_SCHEMA)]
"""A timestamp in a query, ms once it is read."""

_UNITS = {"s": 1_000, "m": MINUTE_MS, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_FORM = re.compile(r"([1-9][0-9]{0,14})([smhdw]?)")
LONGEST_MS = 366 * DAY_MS


def parse_interval(value: object) -> int:
    """Return an interval in ms.

    Raises:
        ValueError: it has another form, or is shorter than 1 ms or longer than a year.
    """
    match = _FORM.fullmatch(str(value))
    if match is None:
        raise ValueError("must be a number of s, m, h, d or w, such as 5m, or of ms; months differ in length")
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
