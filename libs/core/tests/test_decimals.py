import copy
import json
import pickle
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.decimals import ExactFloat, number, spelled
from millrace_core.errors import InvalidMessage
from millrace_core.exact_json import exactly, without_exponents
from millrace_core.market import Balance, Fee, Trade, TradesDelta
from millrace_core.messages import Response, encode
from millrace_core.orders import Order
from millrace_core.states import AnswersState

LONG = "0.123456789012345678901"
TEXTS = st.builds(
    lambda digits, places: format(Decimal(digits).scaleb(-places), "f"),
    st.integers(-(10**30), 10**30),
    st.integers(-20, 40),
)


@pytest.mark.parametrize("text", ["1E-8", "1e-8", "1e-08", "0.00000001"])
def test_a_number_has_one_spelling(text: str) -> None:
    """Whoever wrote it: Python, JSON, or PostgreSQL."""
    assert spelled(text) == "0.00000001"


@pytest.mark.parametrize(
    "text",
    ["1.10", "10.0", "-0", "NaN", "Infinity", "null", "1E+999999999", "-1e-999999999", "1e-9999999999999999999"],
)
def test_other_digits_stay_as_they_came(text: str) -> None:
    """And nobody writes out a number that fills the memory."""
    assert spelled(text) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_it_is_the_same_number(value: float) -> None:
    """To the last digit, without an exponent."""
    text = spelled(repr(value))
    assert "e" not in text.lower()
    assert Decimal(text) == Decimal(repr(value))


@given(TEXTS)
def test_a_float_prints_the_digits_that_came(text: str) -> None:
    """Whatever their number, and travels with them; only where a plain one would print others is it another type."""
    value = number(text)
    assert Decimal(repr(value)) == Decimal(text) == Decimal(encode(value).decode())
    assert isinstance(value, ExactFloat) == (Decimal(repr(float(text))) != Decimal(text))
    assert value + 0.0 == float(text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1e-999999999", "1e-99999999999999999999", "0." + "1" * 1_000])
def test_a_number_that_no_exchange_has_is_rounded(text: str) -> None:
    """Written out it might fill the memory."""
    assert type(number(text)) is float
    assert repr(number(text)) == repr(float(text))


@given(st.integers(1, 2**52 - 1), st.integers(0, 18))
def test_multiples_of_a_step_are_plain_floats(count: int, decimals: int) -> None:
    """Below 2^52 steps: neighbouring floats are nearer there than two multiples, so books need no exact floats."""
    assert type(number(format(Decimal(count).scaleb(-decimals), "f"))) is float


def test_exact_floats_are_compared_by_their_digits() -> None:
    """A change too small for a float is a change, and zeros at the end are none."""
    value = number(LONG)
    assert value == number(LONG + "00") != number(LONG + "1")
    assert value != float(LONG)
    assert float(LONG) != value
    assert {value, number(LONG), float(LONG)} == {float(LONG), value}
    assert abs(number("-" + LONG)) == value < 0.2
    assert repr(pickle.loads(pickle.dumps(value))) == repr(copy.deepcopy(value)) == LONG  # noqa: S301


def test_what_was_decoded_gets_its_digits_back() -> None:
    """In structs, lists, tuples and dictionaries; what has none keeps its floats."""
    trade = Trade("1234567890123456789", 1, "KCS/USDT", "buy", number(LONG), 0.5, fee=Fee("BNB", number("1" + LONG)))
    whole = {"candles": [(1, number(LONG), 2.0)], "trades": TradesDelta([trade])}
    raw = encode(whole)
    decoded = {
        "candles": msgspec.json.decode(raw, type=dict[str, object])["candles"],
        "trades": msgspec.convert(msgspec.json.decode(raw)["trades"], TradesDelta),
    }
    assert exactly(decoded, raw) == {**whole, "candles": [[1, number(LONG), 2.0]]}
    assert exactly(decoded, b"{}") is decoded


@pytest.mark.parametrize("ignored", [b"1" * 5_000, b"1e99999999999999999999", b"[" * 50 + b"]" * 50])
def test_what_a_type_ignores_ends_nothing(ignored: bytes) -> None:
    """Other programs may write anything beside the fields that are read."""
    raw = b'{"KCS":{"total":1.00000000000000000001,"more":%b}}' % ignored
    found = msgspec.json.decode(raw, type=dict[str, Balance])
    try:
        assert encode(exactly(found, raw)) == b'{"KCS":{"total":1.00000000000000000001}}'
    except InvalidMessage as error:
        assert error.problems


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_json_without_exponents_has_the_same_numbers_and_texts(exact: Decimal) -> None:
    """Whatever a text says, it stays; a number keeps its digits."""
    written = b'{"a\\"1e-8":["1E-8,2e5",%b,1e-8,-2.50E+3,1e400],"b":{"c":%b}}' % ((str(exact).encode(),) * 2)
    found = without_exponents(written)
    assert json.loads(found, parse_float=Decimal, parse_int=Decimal) == json.loads(
        written, parse_float=Decimal, parse_int=Decimal
    )
    assert b'"1E-8,2e5"' in found and b"0.00000001,-2500" in found and b"1e400" in found
    assert b"E" not in found.replace(b'"1E-8,2e5"', b"")


def test_numbers_of_answers_keep_every_digit() -> None:
    """An answer's order is read as it was written, whatever its numbers."""
    order = Order(id="1", price=Decimal("0.123456789012345678901"), amount=Decimal("1E-8"), filled=Decimal(3))
    data = AnswersState().apply(msgspec.Raw(encode(Response("f" * 32, "done", order))))
    assert msgspec.convert(data, Response).order == order
