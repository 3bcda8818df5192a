import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.ids import is_request_id
from millrace_core.names import StreamName, Tenant
from millrace_executor.accepted_request import Unfit, Work, read

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


def take(request: object, entry_id: str | None = "1763800000000-0") -> Work | Unfit:
    return read(TENANT, msgspec.json.encode(request), entry_id=entry_id, received_ms=NOW)


def test_what_a_person_types_is_work() -> None:
    """A request without any optional field can be carried out, counts from its arrival, and says who wanted it."""
    work = take(BY_HAND, entry_id=None)
    assert isinstance(work, Work)
    assert str(work.answer_to) == "stream.StrankaXY.binance.createOrder.KCS/USDT"
    assert work.valid_until_ms == NOW + 5_000
    assert work.source == "James"
    assert is_request_id(work.request_id)


def test_the_same_entry_is_the_same_request() -> None:
    """An entry without a request id gets the same one each time it is delivered, another entry another one."""
    first, again, other = take(BY_HAND), take(BY_HAND), take(BY_HAND, entry_id="1763800000000-1")
    assert first.request_id == again.request_id != other.request_id


def test_two_typed_by_hand_are_two_requests() -> None:
    """What is typed twice on the channel is two orders."""
    assert take(BY_HAND, entry_id=None).request_id != take(BY_HAND, entry_id=None).request_id


def test_validity_counts_from_when_it_was_requested() -> None:
    """`requestedAt` and `validFor` say until when."""
    work = take(BY_HAND | {"requestId": REQUEST_ID, "requestedAt": NOW - 100, "validFor": 250})
    assert isinstance(work, Work)
    assert work.request_id == REQUEST_ID
    assert work.valid_until_ms == NOW + 150


@pytest.mark.parametrize("symbol", ["KCS USDT", "", "a" * 65, "KCS/*"])
def test_a_symbol_that_can_be_no_name_is_unfit(symbol: str) -> None:
    """What cannot stand in a stream's name is answered under `unknown`."""
    unfit = take(BY_HAND | {"payload": BY_HAND["payload"] | {"symbol": symbol}})  # type: ignore[operator]
    assert isinstance(unfit, Unfit)
    assert unfit.answer_to.symbol == "unknown"


def test_a_time_in_the_future_is_unfit() -> None:
    """A time in ns where ms are meant would be valid for ever: it is refused."""
    unfit = take(BY_HAND | {"requestedAt": NOW * 1000})
    assert isinstance(unfit, Unfit)
    assert unfit.answer.error is not None
    assert "$.requestedAt" in unfit.answer.error.message


def test_an_unfit_request_is_answered_where_its_sender_looks() -> None:
    """What can be read of it names the stream, the request id and the source; every problem is in the answer."""
    payload = {"symbol": "KCS/USDT", "side": "long", "amount": 1, "orderSource": "James"}
    unfit = take({"action": "createOrder", "exchangeId": "binance", "requestId": "my-id", "payload": payload})
    assert isinstance(unfit, Unfit)
    assert str(unfit.answer_to) == "stream.StrankaXY.binance.createOrder.KCS/USDT"
    assert unfit.answer.request_id == unfit.request_id == "my-id"
    assert unfit.answer.order_source == "James"
    assert unfit.answer.status == "rejected"
    assert unfit.answer.error is not None
    assert unfit.answer.error.kind == "Malformed"
    for path in ("$.payload.side", "$.payload.amount", "$.payload.type"):
        assert path in unfit.answer.error.message


def test_no_symbol_means_no_symbol_part() -> None:
    """A request that says no symbol is answered on a name without one; unreadable parts are `unknown`."""
    assert str(take({"action": "buy", "exchangeId": 7}).answer_to) == "stream.StrankaXY.unknown.unknown"
    assert str(read(TENANT, b"hello", entry_id=None, received_ms=NOW).answer_to) == "stream.StrankaXY.unknown.unknown"


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
    taken = read(TENANT, raw, entry_id="1-1", received_ms=NOW)
    assert StreamName.parse(str(taken.answer_to)) == taken.answer_to
