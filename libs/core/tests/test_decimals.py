from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.decimals import spelled


@pytest.mark.parametrize("text", ["1E-8", "1e-8", "1e-08", "0.00000001"])
def test_a_number_has_one_spelling(text: str) -> None:
    """Whoever wrote it: Python, JSON, or PostgreSQL."""
    assert spelled(text) == "0.00000001"


@pytest.mark.parametrize("text", ["1.10", "10.0", "-0", "NaN", "Infinity", "null", "1E+999999999", "-1e-999999999"])
def test_other_digits_stay_as_they_came(text: str) -> None:
    """And nobody writes out a number that fills the memory."""
    assert spelled(text) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_it_is_the_same_number(number: float) -> None:
    """To the last digit, without an exponent."""
    text = spelled(repr(number))
    assert "e" not in text.lower()
    assert Decimal(text) == Decimal(repr(number))
