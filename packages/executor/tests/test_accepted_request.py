import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_bus import Arrived
from millrace_core.ids import is_request_id
from millrace_core.messages import Response
from millrace_core.names import StreamName, Tenant
from millrace_executor.accepted_request import AcceptedRequest, MalformedArrival, read

TENANT = Tenant("StrankaXY")
BY_HAND = {
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
REQUEST_ID = "0123456789abcdef0123456789abcdef"
NOW = 1_763_800_000_000


async def acknowledge() -> None:
    """Nothing has to be acknowledged here."""


def answer_unrouted(accepted: AcceptedRequest, answer: Response) -> None:
    """Nothing is routed here."""


def take(request: object, origin: str = "1763800000000-0") -> AcceptedRequest | MalformedArrival:
    return take_raw(msgspec.json.encode(request), origin)


def take_raw(raw: bytes | None, origin: str = "1-0") -> AcceptedRequest | MalformedArrival:
    return read(Arrived(TENANT, raw, "1763800000000-0", origin, NOW, NOW * 1_000_000), acknowledge, answer_unrouted)


def test_what_a_person_types_is_accepted() -> None:
    """A request without any optional field can be carried out, counts from its arrival, and has its order source."""
    accepted = take(BY_HAND)
    assert isinstance(accepted, AcceptedRequest)
    assert str(accepted.answer_to) == "stream.StrankaXY.binance.createOrder.KCS/USDT"
    assert accepted.valid_until_ms == NOW + 5_000
    assert accepted.source == "James"
    assert is_request_id(accepted.request_id)


def test_the_same_entry_is_the_same_request() -> None:
    """An entry without a request id gets the same one each time it is delivered, another entry another one."""
    first, again, other = take(BY_HAND), take(BY_HAND), take(BY_HAND, "1763800000000-1")
    assert first.request_id == again.request_id != other.request_id


def test_two_typed_by_hand_are_two_requests() -> None:
    """The same text typed twice on the channel is two orders; what was written down twice is one."""
    first, again, other = (take(BY_HAND, f"1763800000000-{typed}") for typed in ("7f", "7f", "e0"))
    assert first.request_id == again.request_id != other.request_id


@pytest.mark.parametrize("raw", [None, b'{"action":"halt","payload":{"reason":"%b"}}' % (b"x" * 70_000)])
def test_what_has_no_data_or_too_much_is_malformed(raw: bytes | None) -> None:
    """It is answered under an id of its own; what it holds stands in no answer."""
    malformed = take_raw(raw)
    assert isinstance(malformed, MalformedArrival)
    assert is_request_id(malformed.request_id)
    assert len(malformed.answer.error.message) < 100


def test_validity_counts_from_when_it_was_requested() -> None:
    """`requestedAt` and `validFor` say until when."""
    accepted = take(BY_HAND | {"requestId": REQUEST_ID, "requestedAt": NOW - 100, "validFor": 250})
    assert isinstance(accepted, AcceptedRequest)
    assert accepted.request_id == REQUEST_ID
    assert accepted.valid_until_ms == NOW + 150


@pytest.mark.parametrize("symbol", ["KCS USDT", "", "a" * 65, "KCS/*"])
def test_a_symbol_that_can_be_no_name_is_malformed(symbol: str) -> None:
    """What cannot stand in a stream's name is answered on a name without a symbol."""
    malformed = take(BY_HAND | {"payload": BY_HAND["payload"] | {"symbol": symbol}})  # type: ignore[operator]
    assert isinstance(malformed, MalformedArrival)
    assert malformed.answer_to.symbol is None


def test_a_time_in_the_future_is_malformed() -> None:
    """A time in ns instead of ms would be valid forever: it is refused."""
    malformed = take(BY_HAND | {"requestedAt": NOW * 1000})
    assert isinstance(malformed, MalformedArrival)
    assert malformed.answer.error is not None
    assert "$.requestedAt" in malformed.answer.error.message


def test_a_malformed_request_is_answered_where_its_sender_looks() -> None:
    """What can be read of it names the stream, the request id and the source; every problem is in the answer."""
    payload = {"symbol": "KCS/USDT", "side": "long", "amount": 1, "orderSource": "James"}
    malformed = take({"action": "createOrder", "exchangeId": "binance", "requestId": "my-id", "payload": payload})
    assert isinstance(malformed, MalformedArrival)
    assert str(malformed.answer_to) == "stream.StrankaXY.binance.createOrder.KCS/USDT"
    assert malformed.answer.request_id == malformed.request_id == "my-id"
    assert malformed.answer.order_source == "James"
    assert malformed.answer.status == "rejected"
    assert malformed.answer.error is not None
    assert malformed.answer.error.kind == "Malformed"
    for path in ("$.payload.side", "$.payload.amount", "$.payload.type"):
        assert path in malformed.answer.error.message


def test_no_symbol_means_no_symbol_part() -> None:
    """A request that says no symbol is answered on a name without one; unreadable parts are `unknown`."""
    assert str(take({"action": "buy", "exchangeId": 7}).answer_to) == "stream.StrankaXY.unknown.unknown"
    assert str(take_raw(b"hello").answer_to) == "stream.StrankaXY.unknown.unknown"


def test_a_halt_of_everything_is_answered_under_all() -> None:
    """A halt or a resumption without an exchange concerns all of them."""
    assert str(take({"action": "halt"}).answer_to) == "stream.StrankaXY.all.halt"
    assert str(take({"action": "resume", "exchangeId": "binance"}).answer_to) == "stream.StrankaXY.binance.resume"


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"{}", b"null", b'{"payload":[]}', b'{"action":{},"payload":{"symbol":1}}'])
)
def test_whatever_arrives_has_an_answer_with_a_proper_name(raw: bytes) -> None:
    """No bytes are so wrong that they cannot be answered."""
    taken = take_raw(raw, "1-1")
    assert StreamName.parse(str(taken.answer_to)) == taken.answer_to
