"""Order ids and numbers as KuCoin writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.kucoin.ids import order_id_text, order_number
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.listings import KUCOIN_SYMBOLS

SYMBOLS = [rules.symbol for rules in KUCOIN_SYMBOLS]


@given(st.sampled_from(SYMBOLS), st.integers(0, 2**63))
def test_an_id_names_one_order_of_one_symbol(symbol: str, number: int) -> None:
    """It has 24 hexadecimal digits, is read back as it was written, and is no id of another symbol's."""
    text = order_id_text(symbol, number)
    assert (len(text), int(text, 16) >= 0) == (24, True)
    assert [order_number(other, text) for other in SYMBOLS if other != symbol] == [None] * (len(SYMBOLS) - 1)
    assert order_number(symbol, text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("0.00", "0"), ("12.500", "12.5"), ("100", "100"), ("1E+3", "1000"), ("1E-8", "0.00000001")],
)
def test_numbers_have_no_more_digits_than_they_need(number: str, text: str) -> None:
    """No exponent, no zeros at the end."""
    assert number_text(Decimal(number)) == text
