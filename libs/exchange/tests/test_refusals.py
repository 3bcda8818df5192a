"""What an answer says about limits, in each form that exchanges use."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_exchange.profile import RateLimit
from millrace_exchange.refusals import Answer, LimitReport, limit_reports, pause_ms, retry_after_ms, socket_answer

HTML = "<html>Request blocked</html>"
OWN_ERROR = '{"code":-1003,"msg":"Too much request weight used"}'
BAN_MS = 9_000


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected_ms"),
    [
        (429, {"Retry-After": "30"}, OWN_ERROR, 30_000),
        (429, {"retry-after": "2.5"}, HTML, 2_500),
        (429, {"X-Reset": "700"}, OWN_ERROR, 1_000),
        (429, {"X-Reset": "7000"}, OWN_ERROR, 7_000),
        (429, {"Retry-After": "3", "X-Reset": "7000"}, OWN_ERROR, 3_000),
        (429, {"Retry-After": "0"}, OWN_ERROR, 1_000),
        (429, {"Retry-After": "soon"}, OWN_ERROR, BAN_MS),
        (429, {"Retry-After": "nan"}, OWN_ERROR, BAN_MS),
        (429, {}, "", BAN_MS),
        (418, {"Retry-After": "120"}, OWN_ERROR, 120_000),
        (418, {}, HTML, BAN_MS),
        (403, {}, HTML, BAN_MS),
        (403, {}, '{"code":-2015}', 0),
        (503, {"Retry-After": "20"}, HTML, 20_000),
        (503, {"X-Reset": "7000"}, HTML, 0),
        (400, {}, OWN_ERROR, 0),
        (200, {"X-Reset": "7000", "Retry-After": "20"}, "[]", 0),
    ],
)
def test_each_kind_of_refusal_says_how_long_to_wait(
    status: int, headers: dict[str, str], body: str, expected_ms: int
) -> None:
    """A status that says so, any failure with Retry-After, or a firewall's page; nothing else is a pause."""
    assert pause_ms(Answer.of(status, headers, body), "X-Reset", BAN_MS) == expected_ms


def test_a_pause_may_end_at_a_date() -> None:
    """RFC 9110 allows both forms of Retry-After; a date that has passed asks for nothing."""
    at_ms = round(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
    assert retry_after_ms("Thu, 01 Jan 2026 12:00:30 GMT", at_ms) == 30_000
    assert retry_after_ms("Thu, 01 Jan 2026 11:00:00 GMT", at_ms) == 0


def test_a_date_is_one_of_the_exchanges_clock() -> None:
    """The answer itself says how late it is there; what the machine takes for now may be years off."""
    headers = {"Date": "Thu, 01 Jan 2026 12:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 12:00:30 GMT"}
    assert pause_ms(Answer.of(429, headers, OWN_ERROR), None, BAN_MS) == 30_000


@pytest.mark.parametrize(
    "answer",
    [
        Answer.of(429, {"Retry-After": "1e300"}, OWN_ERROR),
        Answer.of(503, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, HTML),
        Answer.of(429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, OWN_ERROR),
        socket_answer({"status": 418, "error": {"data": {"serverTime": 1, "retryAfter": 10**30}}}),
    ],
)
def test_no_pause_is_longer_than_any_ban(answer: Answer) -> None:
    """An answer that asks for more is wrong, in whichever form: nothing would be sent any more, no cancel either."""
    assert pause_ms(answer, None, BAN_MS) == 7 * 86_400_000


@given(text=st.text())
def test_no_header_is_an_error(text: str) -> None:
    """Whatever stands there, a pause is a number of ms that is not negative, or there is none."""
    asked_ms = retry_after_ms(text, 0)
    assert asked_ms is None or asked_ms >= 0


def test_use_is_read_from_either_form_of_header() -> None:
    """Binance tells what is used, KuCoin what is left."""
    used = RateLimit(name="w", scope="ip", weight=100, window_ms=1, used_header="X-Used")
    left = RateLimit(name="w", scope="ip", weight=100, window_ms=1, remaining_header="X-Left")
    answer = Answer.of(200, {"x-used": "30", "X-LEFT": "60"}, "")
    assert (answer.used(used), answer.used(left)) == (30, 40)
    assert Answer.of(200, {"x-used": "many"}, "").used(used) is None


@pytest.mark.parametrize(("limit", "used"), [("100", 40), ("50", None)])
def test_an_answer_about_another_limit_says_nothing_of_this_one(limit: str, used: int | None) -> None:
    """KuCoin's answers name no pool, but the size of theirs."""
    rule = RateLimit(name="w", scope="ip", weight=100, window_ms=1, remaining_header="X-Left", limit_header="X-Limit")
    assert Answer.of(200, {"x-left": "60", "x-limit": limit}, "").used(rule) == used


def test_limits_are_read_from_what_the_exchange_lists() -> None:
    """A line that has another form is skipped."""
    line = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100}
    listed = {"rateLimits": [line, {**line, "interval": "FORTNIGHT"}, None, {**line, "count": 7}]}
    expected = [LimitReport("ORDERS", 10_000, 100, 0), LimitReport("ORDERS", 10_000, 100, 7)]
    assert list(limit_reports(listed)) == expected
    assert not [*limit_reports([]), *limit_reports({"rateLimits": 1}), *limit_reports(None)]


@pytest.mark.parametrize(
    ("frame", "expected_ms"),
    [
        ({"status": 418, "error": {"code": -1003, "data": {"serverTime": 1_000, "retryAfter": 6_000}}}, 5_000),
        ({"status": 429, "error": {"code": -1015}}, BAN_MS),
        ({"status": 400, "error": {"code": -2010}}, 0),
        ({"status": 429, "error": None}, BAN_MS),
    ],
)
def test_a_refusal_over_a_socket_says_so_too(frame: dict[str, Any], expected_ms: int) -> None:
    """Binance's WebSocket API tells the time at which the pause ends."""
    answer = socket_answer(json.loads(json.dumps(frame)))
    assert answer is not None
    assert pause_ms(answer, None, BAN_MS) == expected_ms


@pytest.mark.parametrize("frame", [{"status": 200, "result": {}}, {"e": "trade"}, [], None, {"status": "ok"}])
def test_other_frames_are_no_refusals(frame: Any) -> None:
    """Most frames are data."""
    assert socket_answer(frame) is None
