"""Parameters: the same from a query, a body, or JSON; refused with Binance's codes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.parameters import Parameters, from_form, from_json, signed_payload


def code_of(refusal: pytest.ExceptionInfo[BinanceError]) -> int:
    return refusal.value.code


def test_query_and_body_are_one_and_the_query_wins() -> None:
    """A request split over both parts reads as one; a name in both takes its value from the query."""
    parameters = from_form("symbol=BTCUSDT&side=BUY", "side=SELL&quantity=1")
    assert parameters.values == {"symbol": "BTCUSDT", "side": "BUY", "quantity": "1"}


def test_a_name_twice_in_one_part_is_refused() -> None:
    """Two values are ambiguous, so the request is rejected."""
    with pytest.raises(BinanceError) as refusal:
        from_form("symbol=BTCUSDT&symbol=ETHUSDT", "")
    assert code_of(refusal) == -1101


def test_the_signature_covers_everything_as_it_was_sent() -> None:
    """The payload is the query and the body without the signature, still encoded, with nothing between them."""
    payload, signature = signed_payload("symbol=LTCBTC&timeInForce=GTC", "quantity=1&x=%5B1%5D&signature=ab%2Fc%3D")
    assert payload == "symbol=LTCBTC&timeInForce=GTCquantity=1&x=%5B1%5D"
    assert signature == "ab/c="


def test_a_signature_in_the_middle_is_taken_out() -> None:
    """Clients that do not send the signature last are understood."""
    assert signed_payload("a=1&signature=ff&b=2", "") == ("a=1&b=2", "ff")


@given(
    st.dictionaries(st.text("abcXYZ", min_size=1), st.integers(0, 10**12) | st.booleans() | st.text("ab1", min_size=1))
)
def test_json_parameters_read_as_a_query_would(params: dict[str, int | bool | str]) -> None:
    """Numbers and booleans over the WebSocket API are the text that a query would hold."""
    shown = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in params.items()}
    assert from_json(params).values == shown


def test_a_json_array_of_symbols_reads_as_in_a_query() -> None:
    """`symbols` is an array over the WebSocket API and its text over REST."""
    assert from_json({"symbols": ["BTCUSDT", "ETHUSDT"]}).names("symbols") == ["BTCUSDT", "ETHUSDT"]
    assert Parameters({"symbols": '["BTCUSDT", "ETHUSDT"]'}).names("symbols") == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("value", "code"),
    [("", -1105), ("abc", -1100), ("-1", -1100), ("1e5", -1100), ("0.123456789", -1111), ("0", -1013), ("1\n", -1100)],
)
def test_numbers_are_refused_as_binance_does(value: str, code: int) -> None:
    """Each way in which a quantity can be wrong has its own code."""
    with pytest.raises(BinanceError) as refusal:
        Parameters({"quantity": value}).decimal("quantity")
    assert code_of(refusal) == code


def test_zeros_after_the_eighth_decimal_are_no_precision() -> None:
    """Clients that pad with zeros are understood."""
    assert Parameters({"price": "1.1000000000"}).decimal("price") == Decimal("1.1")


@pytest.mark.parametrize(("values", "code"), [({}, -1102), ({"symbol": ""}, -1105)])
def test_what_must_be_there_is_asked_for_by_name(values: dict[str, str], code: int) -> None:
    """A mandatory parameter that is missing or empty is named."""
    with pytest.raises(BinanceError, match="arameter 'symbol'") as refusal:
        Parameters(values).required("symbol")
    assert code_of(refusal) == code


def test_a_limit_beyond_the_most_is_cut() -> None:
    """Asking for more than the maximum returns the maximum, as Binance documents for depth."""
    assert Parameters({"limit": "9999"}).limit(100, 5000) == 5000
    assert Parameters({}).limit(100, 5000) == 100


def test_an_integer_that_overflows_is_refused() -> None:
    """A number beyond Binance's LONG is refused as such."""
    with pytest.raises(BinanceError) as refusal:
        Parameters({"orderId": "9" * 19}).integer("orderId")
    assert code_of(refusal) == -1108


def test_a_symbol_twice_in_a_list_is_refused() -> None:
    """A list names each symbol once."""
    with pytest.raises(BinanceError) as refusal:
        Parameters({"symbols": '["A","A"]'}).names("symbols")
    assert code_of(refusal) == -1151
