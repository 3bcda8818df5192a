"""Requests of the WebSocket API."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wsapi.requests import failed, parse_request, readable_id, succeeded


def test_the_signed_payload_is_sorted_and_spelled_as_sent() -> None:
    """Names in order, booleans in lower case, numbers with the digits that were sent, no signature."""
    request = parse_request(
        '{"id":1,"method":"order.place","params":{"timestamp":1,"symbol":"BTCUSDT","price":"0.10",'
        '"quantity":1e-05,"returnRateLimits":false,"apiKey":"k","signature":"s"}}'
    )
    assert request.signed_payload == (
        "apiKey=k&price=0.10&quantity=1e-05&returnRateLimits=false&symbol=BTCUSDT&timestamp=1"
    )
    assert request.signature == "s"


def test_binances_own_example_has_its_payload() -> None:
    """The documentation's HMAC example yields the payload that it prints."""
    params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "newOrderRespType": "ACK",
        "recvWindow": 100,
        "timestamp": 1645423376532,
        "apiKey": "key",
    }
    request = parse_request(json.dumps({"id": "x", "method": "order.place", "params": params}))
    assert request.signed_payload == (
        "apiKey=key&newOrderRespType=ACK&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL"
        "&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
    )


def test_a_version_before_the_method_is_understood() -> None:
    """`v3/order.place` is `order.place`; parameters may be left out, and null counts as absent."""
    assert parse_request('{"id":null,"method":"v3/ping"}').method == "ping"
    assert "symbol" not in parse_request('{"id":1,"method":"time","params":{"symbol":null}}').parameters


@given(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40)))
def test_an_id_is_echoed_with_its_type(request_id: int | str | None) -> None:
    """The server does not interpret the id."""
    text = json.dumps({"id": request_id, "method": "ping"})
    for echoed in (parse_request(text).id, readable_id(text)):
        assert (echoed, type(echoed)) == (request_id, type(request_id))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"id":1}', '{"id":1,"method":3}', '{"id":1,"method":"a","params":[]}', "[" * 100_000],
    ids=range(8),
)
def test_what_is_no_request_is_refused(text: str) -> None:
    """Anything but an object with a method and named parameters is invalid JSON to Binance."""
    with pytest.raises(BinanceError) as refused:
        parse_request(text)
    assert refused.value.code == -1135


def test_the_id_of_a_broken_request_is_found_where_it_can_be() -> None:
    """A client can tell which of its requests was refused."""
    assert readable_id('{"id":7,"method":3}') == 7
    assert readable_id("{") is None


def test_answers_have_binances_shape() -> None:
    """Rate limits are there unless they are not wanted; an error stands in place of the result."""
    assert json.loads(succeeded(1, {}, [], TimeUnit.MILLISECOND)) == {
        "id": 1,
        "status": 200,
        "result": {},
        "rateLimits": [],
    }
    assert json.loads(failed("a", BinanceError(-2011, "Unknown order sent."), None, TimeUnit.MILLISECOND)) == {
        "id": "a",
        "status": 400,
        "error": {"code": -2011, "msg": "Unknown order sent."},
    }
