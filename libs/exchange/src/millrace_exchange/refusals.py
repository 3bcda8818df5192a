"""What an exchange's answer says about its limits: how much is used, and how long to wait. Pure."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from millrace_core.clock import now_ms
from millrace_exchange.profile import RateLimit

LIMITED: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT)
_CODES: Final = ("code", "retCode")
_MAX_PAUSE_MS: Final = 7 * 86_400_000
"""No exchange bans for longer; a header that says so is wrong."""
_LEAST_PAUSE_MS: Final = 1_000
"""After a broken limit, also where the exchange says that nothing is left of the pause."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_UNIT_MS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}


class Answer(NamedTuple):
    """An answer of an exchange, of whichever form."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: Any = None
    """The JSON that it holds; None if it holds something else, as a firewall's page does."""
    retry_after_ms: int | None = None
    """The pause that the content asks for."""

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: str) -> "Answer":
        """Return an answer over HTTP."""
        # Only a refusal's content matters, and most answers are none.
        content = _json(body) if status >= HTTPStatus.BAD_REQUEST else {}
        return cls(status, {name.lower(): value for name, value in headers.items()}, content)

    @property
    def codes(self) -> frozenset[str]:
        """The exchange's own codes in it."""
        error = _object(self.content)
        return frozenset(str(error[name]) for name in _CODES if isinstance(error.get(name), str | int))

    def used(self, limit: RateLimit) -> int | None:
        """Return how much of a limit the exchange has counted; None if the answer does not say."""
        if (used := self._number(limit.used_header)) is not None:
            return used
        if (remaining := self._number(limit.remaining_header)) is not None:
            return limit.weight - remaining if self._number(limit.limit_header) in (None, limit.weight) else None
        return None

    def _number(self, header: str | None) -> int | None:
        text = self.headers.get(header.lower(), "") if header else ""
        return int(text) if text.isdecimal() else None


def pause_ms(answer: Answer, reset_ms_header: str | None, default_ms: int) -> int:
    """Return how long the exchange wants to be left alone; 0 if it does not.

    A refusal is a status that says so, any failure with a `Retry-After`, or a 403 that a firewall sent in the
    exchange's place: the exchange's own 403 concerns the permissions of one key.
    """
    is_firewall = answer.status == HTTPStatus.FORBIDDEN and not isinstance(answer.content, dict)
    asked_ms = answer.retry_after_ms
    if answer.status >= HTTPStatus.BAD_REQUEST and asked_ms is None:
        # A date is one of the exchange's clock, of which the machine's may be hours off.
        at_ms = _date_ms(answer.headers.get("date", ""))
        asked_ms = retry_after_ms(answer.headers.get("retry-after", ""), now_ms() if at_ms is None else at_ms)
    if answer.status in LIMITED or is_firewall:
        if asked_ms is None and reset_ms_header is not None:
            asked_ms = _finite_ms(answer.headers.get(reset_ms_header.lower(), ""), 1)
        return max(default_ms if asked_ms is None else min(asked_ms, _MAX_PAUSE_MS), _LEAST_PAUSE_MS)
    return min(asked_ms or 0, _MAX_PAUSE_MS)


def retry_after_ms(text: str, at_ms: int) -> int | None:
    """Return the pause that a `Retry-After` asks for, in seconds or until a date; None if it says neither."""
    if (asked_ms := _finite_ms(text, 1_000)) is not None:
        return asked_ms
    until_ms = _date_ms(text)
    return None if until_ms is None else max(0, until_ms - at_ms)


class LimitReport(NamedTuple):
    """A limit as the exchange itself tells it."""

    name: str
    window_ms: int
    limit: int
    used: int
    """0 where it does not say."""


def limit_reports(content: Any) -> Iterator[LimitReport]:
    """Return the limits that an answer lists under `rateLimits`: the form of Binance and those that copy it."""
    listed = content.get("rateLimits") if isinstance(content, dict) else None
    for each in listed if isinstance(listed, list) else ():
        try:
            window_ms = _UNIT_MS[each["interval"]] * int(each["intervalNum"])
            yield LimitReport(each["rateLimitType"], window_ms, int(each["limit"]), int(each.get("count", 0)))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def socket_answer(frame: Any) -> Answer | None:
    """Return a refusal that came over a socket in the form of Binance's WebSocket API; None for any other frame."""
    status = frame.get("status") if isinstance(frame, dict) else None
    if not isinstance(status, int) or status < HTTPStatus.BAD_REQUEST:
        return None
    error = _object(frame.get("error"))
    data = _object(error.get("data"))
    until_ms, at_ms = data.get("retryAfter"), data.get("serverTime")
    asked_ms = max(0, until_ms - at_ms) if isinstance(until_ms, int) and isinstance(at_ms, int) else None
    return Answer(status, {}, error, asked_ms)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _finite_ms(text: str, unit_ms: int) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return min(math.ceil(number * unit_ms), _MAX_PAUSE_MS) if math.isfinite(number) and number >= 0 else None


def _date_ms(text: str) -> int | None:
    """Return the moment of a date as headers write it, ms; None if the text is none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return round((date.replace(tzinfo=date.tzinfo or UTC) - _EPOCH).total_seconds() * 1_000)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
