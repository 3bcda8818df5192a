"""Requests on market stream connections."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.binance.streams.requests import (
    BadRequestError,
    GetCombined,
    ListSubscriptions,
    SetCombined,
    Subscribe,
    Unsubscribe,
    answer,
    parse_request,
    refusal,
)


def test_each_method_is_read_as_its_own_type() -> None:
    """Every method of the protocol becomes one type that holds all it needs."""
    assert parse_request('{"method":"SUBSCRIBE","params":["a@b","c@d"],"id":1}') == Subscribe(1, ("a@b", "c@d"))
    assert parse_request('{"method":"UNSUBSCRIBE","params":["a@b"],"id":2}') == Unsubscribe(2, ("a@b",))
    assert parse_request('{"method":"LIST_SUBSCRIPTIONS","id":3}') == ListSubscriptions(3)
    assert parse_request('{"method":"SET_PROPERTY","params":["combined",true],"id":4}') == SetCombined(4, True)
    assert parse_request('{"method":"GET_PROPERTY","params":["combined"],"id":5}') == GetCombined(5)


@given(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.from_regex(r"[A-Za-z0-9_-]{0,36}", fullmatch=True)))
def test_an_id_is_echoed_with_its_type(request_id: int | str | None) -> None:
    """0, null and text come back as they were sent."""
    request = parse_request(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": request_id}))
    echoed = msgspec.json.decode(answer(request.id, []))["id"]
    assert (echoed, type(echoed)) == (request_id, type(request_id))


def test_a_missing_id_is_answered_with_null() -> None:
    """Clients that send no id are served too."""
    assert parse_request('{"method":"SUBSCRIBE","params":["a@b"]}').id is None


@pytest.mark.parametrize(
    ("text", "code", "message", "request_id"),
    [
        ("{", 3, "Invalid JSON", None),
        ("[" * 100_000, 3, "Invalid JSON", None),
        ("[]", 2, "Invalid request", None),
        ('{"id":1}', 2, "missing field `method`", 1),
        ('{"method":"SUBSCRIBED","id":"x"}', 2, "unknown variant `SUBSCRIBED`, expected one of `SUBSCRIBE`", "x"),
        ('{"method":["SUBSCRIBE"],"id":1}', 2, "unknown variant", 1),
        ('{"method":"SUBSCRIBE","params":[1],"id":0}', 2, "invalid stream", 0),
        ('{"method":"SUBSCRIBE","params":"a@b","id":1}', 2, "sequence", 1),
        ('{"method":"SUBSCRIBE","params":["a@b"],"id":true}', 2, "request ID must be an unsigned integer", None),
        ('{"method":"SUBSCRIBE","params":["a@b"],"id":1.5}', 2, "request ID must be an unsigned integer", None),
        ('{"method":"LIST_SUBSCRIPTIONS","params":[1],"id":1}', 2, "too many parameters", 1),
        ('{"method":"GET_PROPERTY","params":["color"],"id":1}', 0, "Unknown property", 1),
        ('{"method":"GET_PROPERTY","params":[],"id":1}', 2, "property name must be a string", 1),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', 2, "too many parameters", 1),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1, "expected Boolean", 1),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "expected Boolean", 1),
        ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "too many parameters", 1),
    ],
    ids=range(17),
)
def test_a_bad_request_is_refused_in_binances_words(
    text: str, code: int, message: str, request_id: int | str | None
) -> None:
    """Code and text tell what was wrong, with the id wherever one could be read."""
    with pytest.raises(BadRequestError) as refused:
        parse_request(text)
    document = msgspec.json.decode(refusal(refused.value))
    assert document["error"]["code"] == code
    assert message in document["error"]["msg"]
    assert document["id"] == request_id


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever a client sends is a request or a refusal."""
    try:
        parse_request(text)
    except BadRequestError as error:
        assert error.code in (0, 1, 2, 3)
