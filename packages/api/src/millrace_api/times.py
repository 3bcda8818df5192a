"""Timestamps and intervals in queries.

A timestamp is ISO-8601 or ms since 1970; an interval is `90s`, `5m`, `4h`, `1d`, `1w`, `1M` or ms.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from millrace_core.clock import DAY_MS, LATEST_MS
from millrace_core.intervals import Interval


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

_FORM: Final = re.compile(r"([1-9][0-9]{0,14})([smhdwM]?)")
_LONGEST_MS: Final = 366 * DAY_MS
_MOST_MONTHS: Final = 12


def parse_interval(value: object) -> Interval:
    """Return an interval; a number without a unit is ms.

    Raises:
        ValueError: it has another form, or is longer than a year.
    """
    match = _FORM.fullmatch(str(value))
    if match is None:
        raise ValueError("must be a number of s, m, h, d, w or M (months), such as 5m, or of ms")
    number, unit = int(match[1]), match[2]
    interval = Interval.of(number, unit) if unit else Interval(length_ms=number)
    if interval.length_ms > _LONGEST_MS or interval.months > _MOST_MONTHS:
        raise ValueError("must not be longer than a year")
    return interval


IntervalQuery = Annotated[
    Interval,
    PlainValidator(parse_interval),
    WithJsonSchema({"type": "string", "pattern": f"^{_FORM.pattern}$", "examples": ["5m", "90s", "1M", "250"]}),
]
"""An interval in a query."""
