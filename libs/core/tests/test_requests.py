from decimal import Decimal
from typing import Any

import msgspec
import pytest

from millrace_core.errors import MalformedRequest
from millrace_core.messages import encode
from millrace_core.requests import CancelAllOrders, CreateOrder, Halt, action_of, is_expired, parse_request

CREATE = {
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


def test_what_a_person_types_is_a_request() -> None:
    """The example of the protocol is read as it stands, and all else has its default."""
    request = parse_request(raw())
    assert isinstance(request, CreateOrder)
    assert (request.payload.amount_base, request.payload.order_source) == (Decimal(1), "James")
    assert (request.valid_for, request.request_id, request.journaled) == (5_000, None, False)
    assert action_of(request) == "createOrder"


def test_a_request_is_read_back_from_what_we_write() -> None:
    """What our writers send is what our readers understand."""
    request = parse_request(raw({"type": "limit", "price": 24.5, "postOnly": True}, requestId="a" * 32, requestedAt=7))
    assert parse_request(encode(request)) == request


@pytest.mark.parametrize(
    ("request_json", "path"),
    [
        (b"{", "$"),
        (raw({"amount": 1}), "$.payload"),
        (raw({"amountBase": 0}), "$.payload.amountBase"),
        (raw({"amountBase": "NaN"}), "$.payload.amountBase"),
        (raw({"amountBase": None}), "$.payload.amountBase"),
        (raw({"amountQuote": 5}), "$.payload.amountBase"),
        (raw({"type": "limit", "price": None}), "$.payload.price"),
        (raw({"postOnly": True}), "$.payload.postOnly"),
        (raw({"side": "hold"}), "$.payload.side"),
        (raw(requestId="7"), "$.requestId"),
        (raw(validFor=0), "$.validFor"),
        (raw(exchangeId=None), "$.exchangeId"),
        (raw(action="buy"), "$.action"),
        (b'{"action":"createOrder","exchangeId":"\xff"}', "$"),
        (b'{"action":"cancelOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT"}}', "$.payload.orderID"),
        (b'{"action":"editOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","orderID":"1"}}', "$.payload"),
    ],
)
def test_a_mistake_is_named_with_its_place(request_json: bytes, path: str) -> None:
    """Whoever typed it is told where to look."""
    with pytest.raises(MalformedRequest) as caught:
        parse_request(request_json)
    assert path in {problem.path for problem in caught.value.problems}


def test_all_contradictions_are_told_at_once() -> None:
    """A person mends a request once, not once for each mistake."""
    with pytest.raises(MalformedRequest) as caught:
        parse_request(raw({"amountBase": -1, "price": -2}, validFor=-1))
    assert len(caught.value.problems) == 3


def test_halts_and_cancel_all_need_no_more_than_their_name() -> None:
    """In a hurry one types as little as possible."""
    assert isinstance(parse_request(b'{"action":"halt"}'), Halt)
    assert isinstance(parse_request(b'{"action":"cancelAllOrders","exchangeId":"binance"}'), CancelAllOrders)


def test_validity_counts_from_when_it_was_made_or_else_received() -> None:
    """A request that does not say when it was made is as old as its arrival."""
    assert is_expired(parse_request(raw(requestedAt=1_000)), received_ms=9_000, now_ms=6_001)
    assert not is_expired(parse_request(raw(requestedAt=1_000)), received_ms=0, now_ms=6_000)
    assert not is_expired(parse_request(raw()), received_ms=9_000, now_ms=14_000)
    assert is_expired(parse_request(raw()), received_ms=9_000, now_ms=14_001)
