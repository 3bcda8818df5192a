"""Moments as people and programs write them: ISO-8601, or ms since 1970."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

LATEST_MS = 253_402_300_799_999
"""The last ms of the year 9999."""


def parse_moment(value: object) -> int:
    """Read a moment, ms; one without a time zone is UTC.

    Raises:
        ValueError: it is neither form, or lies outside 1970 to 9999; the text says what would be right.
    """
    ms = value if isinstance(value, int) else _ms(str(value))
    if not 0 <= ms <= LATEST_MS:
        raise ValueError("must lie between 1970 and 9999")
    return ms


def _ms(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text[:20])
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


_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": LATEST_MS}, {"type": "string", "format": "date-time"}],
    "examples": ["2026-01-31T12:00:00Z", 1769860800000],
}

Moment = Annotated[int, BeforeValidator(parse_moment), WithJsonSchema(_SCHEMA)]
"""A moment in a query, ms once it is read."""
