import msgspec
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.errors import MalformedRequest
from millrace_core.requests import parse_request
from millrace_executor.diagnosis import problems_of

GOOD = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 25},
}
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
fields = st.sampled_from(["action", "exchangeId", "requestId", "validFor", "trace", "payload", "nonsense"])
parts = st.sampled_from(["symbol", "side", "type", "amountBase", "price", "params", "postOnly", "nonsense"])


def paths(request: object) -> set[str]:
    return {problem.path for problem in problems_of(msgspec.json.encode(request))}


def test_a_good_request_has_no_problems() -> None:
    """Nothing is found wrong with what can be carried out."""
    assert problems_of(msgspec.json.encode(GOOD)) == ()


def test_every_mistake_is_named_with_its_path() -> None:
    """A wrong side, a missing type, an unknown field and a text for a number are told together."""
    payload = {"symbol": "KCS/USDT", "side": "long", "amountBase": "much", "leverage": 3}
    found = paths({"action": "createOrder", "exchange": "binance", "payload": payload})
    assert found == {"$.exchange", "$.payload.side", "$.payload.type", "$.payload.amountBase", "$.payload.leverage"}


def test_contradictions_are_told_once_the_form_is_right() -> None:
    """What contradicts itself is found too: two amounts, a price below zero."""
    payload = GOOD["payload"] | {"amountQuote": 5, "price": -1}  # type: ignore[operator]
    assert paths(GOOD | {"payload": payload}) == {"$.payload.amountBase", "$.payload.price"}


def test_an_unknown_action_is_told_with_those_there_are() -> None:
    """The text names every action there is."""
    (problem,) = problems_of(b'{"action":"buy"}')
    assert problem.path == "$.action"
    assert "createOrder" in problem.message


def test_what_is_no_object_has_one_problem() -> None:
    """Broken JSON and other things than objects are told as such."""
    assert len(problems_of(b'{"action":')) == 1
    assert len(problems_of(b"[1,2]")) == 1


@given(st.dictionaries(fields, values), st.dictionaries(parts, values))
def test_problems_are_found_just_when_the_request_cannot_be_read(
    spoilt: dict[str, object], payload: dict[str, object]
) -> None:
    """The diagnosis and the decoder agree on every request."""
    request = GOOD | {"payload": GOOD["payload"] | payload} | spoilt  # type: ignore[operator]
    raw = msgspec.json.encode(request)
    try:
        parse_request(raw)
    except MalformedRequest:
        assert problems_of(raw)
    else:
        assert problems_of(raw) == ()
