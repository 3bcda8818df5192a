from decimal import Decimal

import msgspec
import pytest

from millrace_core import messages
from millrace_core.errors import InvalidMessage
from millrace_core.market import BookDelta
from millrace_core.messages import Outgoing, Response
from millrace_core.orders import Order
from millrace_core.trace import Trace


def test_a_message_is_the_protocols_json() -> None:
    """Field names, order and numbers are what a client that is not ours reads."""
    raw = messages.encode(
        Outgoing("17-42", "delta", 123, Trace(exchange=1, received=2), BookDelta([(10.0, 3.5), (9.99, 0.0)], [], 9))
    )
    assert raw == (
        b'{"id":"17-42","type":"delta","timestamp":123,"trace":{"exchange":1,"received":2},'
        b'"data":{"bids":[[10.0,3.5],[9.99,0.0]],"asks":[],"nonce":9}}'
    )


def test_an_envelope_is_read_without_its_data() -> None:
    """Decoding an envelope leaves its data as bytes."""
    message = messages.decode(b'{"id":"17-42","type":"delta","timestamp":null,"trace":{},"data":{"any":[1]}}')
    assert (message.message_id, message.timestamp, message.trace) == ((17, 42), None, Trace())
    assert msgspec.json.decode(message.data) == {"any": [1]}


def test_money_keeps_its_digits() -> None:
    """A decimal is a JSON number with exactly its digits, and comes back as such."""
    response = Response(
        "f" * 32, "done", Order(id="1", price=Decimal("0.10"), amount=Decimal("123456789.123456789123"))
    )
    raw = messages.encode(response)
    assert b'"price":0.10,"amount":123456789.123456789123' in raw
    assert msgspec.json.decode(raw, type=Response) == response


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b'{"id":1}', b'{"id":"\xff"}', b'{"id":"1-1","type":"other","timestamp":1,"trace":{},"data":1}'],
)
def test_what_is_no_message_says_where_it_goes_wrong(raw: bytes) -> None:
    """Every decoding error is ours and names a JSON path."""
    with pytest.raises(InvalidMessage) as caught:
        messages.decode(raw)
    assert caught.value.problems[0].path.startswith("$")
