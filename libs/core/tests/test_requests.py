from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.errors import MalformedRequest, RequestParts
from millrace_core.messages import encode
from millrace_core.requests import CancelAllOrders, CreateOrder, Halt, Request, action_of, parse_request, symbol_of

CREATE: dict[str, Any] = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {
        "symbol": "KCS/USDT",
        "side": "buy",
        "type": "market",
        "amountBase": 1,
        "price": 25,
        "orderSource": "James",
    },
}


def raw(payload: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return msgspec.json.encode(CREATE | fields | {"payload": CREATE["payload"] | (payload or {})})


def malformed(request_json: bytes) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as caught:
        parse_request(request_json)
    return caught.value


def test_what_a_person_types_is_a_request() -> None:
    """The protocol's example is read unchanged; every other field has its default."""
    request = parse_request(raw())
    assert isinstance(request, CreateOrder)
    assert (request.payload.amount_base, request.payload.order_source) == (Decimal(1), "James")
    assert (request.valid_for, request.request_id, request.journaled) == (5_000, None, False)
    assert (action_of(request), symbol_of(request)) == ("createOrder", "KCS/USDT")


def test_a_request_is_read_back_from_what_we_write() -> None:
    """Encoding and parsing a request returns the same request."""
    request = parse_request(raw({"type": "limit", "price": 24.5, "postOnly": True}, requestId="a" * 32, requestedAt=7))
    assert parse_request(encode(request)) == request


@pytest.mark.parametrize(
    ("request_json", "path"),
    [
        (b"{", "$"),
        (raw({"amount": 1}), "$.payload.amount"),
        (raw({"amountBase": 0}), "$.payload.amountBase"),
        (raw({"amountBase": "NaN"}), "$.payload.amountBase"),
        (raw({"amountBase": None}), "$.payload.amountBase"),
        (raw({"amountQuote": 5}), "$.payload.amountBase"),
        (raw({"type": "limit", "price": None}), "$.payload.price"),
        (raw({"postOnly": True}), "$.payload.postOnly"),
        (raw({"timeInForce": "PO"}), "$.payload.timeInForce"),
        (raw({"side": "hold"}), "$.payload.side"),
        (raw(requestId="7"), "$.requestId"),
        (raw(validFor=0), "$.validFor"),
        (raw(validFor=10**400), "$.validFor"),
        (raw(requestedAt=-1), "$.requestedAt"),
        (raw(requestedAt=-(10**400)), "$.requestedAt"),
        (raw(trace={"decided": 10**400}), "$.trace.decided"),
        (raw(trace={"decided": -(2**63) - 1}), "$.trace.decided"),
        (raw(exchangeId=None), "$.exchangeId"),
        (raw({"amountBase": Decimal("1e31")}), "$.payload.amountBase"),
        (raw({"price": Decimal("1e-31")}), "$.payload.price"),
        *((raw({"amountBase": text}), "$.payload.amountBase") for text in ("1_5", "\u0661\u0662", " 5 ", "NaN", "")),
        *((raw({"orderSource": text}), "$.payload.orderSource") for text in ("", "*")),
        (b'{"action":"halt","payload":{"orderSource":"*"}}', "$.payload.orderSource"),
        (raw({"symbol": "KCS USDT"}), "$.payload.symbol"),
        (raw(exchangeId="no.such"), "$.exchangeId"),
        (raw(action="buy"), "$.action"),
        (b'{"action":"createOrder","exchangeId":"\xff"}', "$.exchangeId"),
        (b'{"action":"cancelOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT"}}', "$.payload.orderID"),
        (
            b'{"action":"cancelOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","orderID":"1",'
            b'"clientOrderId":"2"}}',
            "$.payload.clientOrderId",
        ),
        (b'{"action":"editOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","orderID":"1"}}', "$.payload"),
        *(
            (
                b'{"action":"cancelOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","orderID":"%b"}}'
                % text,
                path,
            )
            for text in (b"", b"7 ", b"7?a=b", b"7&a=b", b"7%2f8", b"\xd9\xa3", b"7\\r\\nX: y", b"7" * 129)
            for path in ["$.payload.orderID"]
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(request_json: bytes, path: str) -> None:
    """The path says where to look."""
    assert path in {problem.path for problem in malformed(request_json).problems}


def test_all_mistakes_of_form_are_named_at_once() -> None:
    """A wrong side, a missing type, unknown fields and a text for a number are found together."""
    payload = {"symbol": "KCS/USDT", "side": "long", "amountBase": "much", "leverage": 3}
    error = malformed(msgspec.json.encode({"action": "createOrder", "exchange": "binance", "payload": payload}))
    assert {problem.path for problem in error.problems} == {
        "$.exchange",
        "$.payload.side",
        "$.payload.type",
        "$.payload.amountBase",
        "$.payload.leverage",
    }


def test_an_unknown_action_is_answered_with_the_known_ones() -> None:
    """The message names every action."""
    (problem,) = malformed(b'{"action":"buy"}').problems
    assert problem.path == "$.action"
    assert "createOrder" in problem.message


def test_what_can_be_read_of_a_malformed_request_is_in_the_error() -> None:
    """The parts say where its sender waits for the answer, whichever kind of mistake it has."""
    expected = RequestParts("createOrder", "binance", "KCS/USDT", "my-id", "James")
    assert malformed(raw({"side": "long"}, requestId="my-id")).parts == expected
    assert malformed(raw(requestId="my-id")).parts == expected
    assert malformed(raw({"symbol": 7}, action="buy", exchangeId=1)).parts == RequestParts(
        symbol="", order_source="James"
    )
    assert malformed(b"hello").parts == RequestParts()


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "request_json",
    [
        DEEP,
        b'{"action":"halt","payload":' + DEEP + b"}",
        raw({"params": {"a": 0}}).replace(b'"a":0', b'"a":' + DEEP),
        b'{"action":"createOrder","requestId":"\xff"}',
        b'{"\xff":1}',
        b'{"action":',
        b"[1,2]",
    ],
)
def test_bytes_that_no_decoder_can_read_are_a_mistake(request_json: bytes) -> None:
    """Nesting without end and broken UTF-8 are answered like any other mistake, and crash nothing."""
    assert malformed(request_json).problems


def test_a_key_that_stands_twice_is_a_mistake() -> None:
    """Of two amounts typed by hand neither is taken, also when the request has other mistakes."""
    twice = raw().replace(b'"amountBase":1', b'"amountBase":1,"amountBase":100')
    assert {problem.path for problem in malformed(twice).problems} == {"$.payload.amountBase"}
    worse = twice.replace(b'"buy"', b'"long"')
    assert {problem.path for problem in malformed(worse).problems} == {"$.payload.amountBase", "$.payload.side"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.sampled_from(["action", "exchangeId", "requestId", "validFor", "trace", "payload", "nonsense"])
PAYLOAD = st.sampled_from(["symbol", "side", "type", "amountBase", "price", "params", "postOnly", "nonsense"])


@given(st.dictionaries(FIELDS, VALUES), st.dictionaries(PAYLOAD, VALUES))
def test_the_diagnosis_finds_a_mistake_whenever_the_decoder_does(
    spoilt: dict[str, Any], payload: dict[str, Any]
) -> None:
    """Whatever the decoder refuses, the diagnosis names a field of it."""
    request_json = msgspec.json.encode(CREATE | {"payload": CREATE["payload"] | payload} | spoilt)
    try:
        msgspec.json.decode(request_json, type=Request)
    except msgspec.MsgspecError:
        assert all(problem.path.startswith("$.") for problem in malformed(request_json).problems)


def test_all_contradictions_are_named_at_once() -> None:
    """A person corrects a request once, not once for each mistake."""
    assert len(malformed(raw({"amountBase": -1, "price": -2}, validFor=-1)).problems) == 3


@pytest.mark.parametrize("action", ["halt", "resume"])
@pytest.mark.parametrize("where", ['"symbol":"KCS/USDT"', '"payload":{"symbol":"KCS/USDT"}'])
def test_halts_have_no_symbol(action: str, where: str) -> None:
    """To resume one symbol would resume all of them: refused, with the reason."""
    with pytest.raises(MalformedRequest, match="halts have no symbol"):
        parse_request(f'{{"action":"{action}",{where}}}'.encode())


def test_halts_and_cancel_all_need_no_more_than_their_name() -> None:
    """Payload, exchange and symbol may be left out."""
    assert isinstance(parse_request(b'{"action":"halt"}'), Halt)
    assert isinstance(parse_request(b'{"action":"cancelAllOrders","exchangeId":"binance"}'), CancelAllOrders)
