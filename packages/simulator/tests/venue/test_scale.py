from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.venue.scale import Scale, decimal_text

SCALE = Scale(Decimal("0.01"), Decimal("0.00001"))


@given(st.integers(0, 10**10), st.integers(0, 10**8))
def test_conversion_is_exact_both_ways(ticks: int, lots: int) -> None:
    """Ticks and lots survive the way to decimals and back, and amounts are exact products."""
    assert SCALE.ticks(SCALE.price(ticks)) == ticks
    assert SCALE.lots(SCALE.quantity(lots)) == lots
    assert SCALE.quote(ticks * lots) == SCALE.price(ticks) * SCALE.quantity(lots)


@given(st.integers(0, 10**10), st.integers(0, 10**8))
def test_texts_say_what_the_decimals_say(ticks: int, lots: int) -> None:
    """The fast texts have eight places and the value of the decimal."""
    for text, value in (
        (SCALE.price_text(ticks), SCALE.price(ticks)),
        (SCALE.quantity_text(lots), SCALE.quantity(lots)),
        (SCALE.quote_text(ticks * lots), SCALE.quote(ticks * lots)),
    ):
        assert text == f"{value:.8f}"
        assert decimal_text(value) == text


def test_finer_steps_print_whole() -> None:
    """A price or a quantity below 1e-8 is not cut to nothing."""
    fine = Scale(Decimal("0.0000000001"), Decimal(10))
    assert (fine.price_text(12_345), fine.quantity_text(3)) == ("0.0000012345", "30.00000000")


def test_what_lies_between_two_steps_has_no_count() -> None:
    """A price between two ticks is no number of ticks."""
    assert SCALE.ticks(Decimal("1.005")) is None
    assert SCALE.lots(Decimal("0.000001")) is None


@pytest.mark.parametrize(
    ("value", "text"), [("0", "0.00000000"), ("-1.5", "-1.50000000"), ("0.000000019", "0.00000001")]
)
def test_decimals_print_with_eight_places(value: str, text: str) -> None:
    """No exponent ever, the sign kept, and what lies beyond eight places cut."""
    assert decimal_text(Decimal(value)) == text


def test_a_budget_is_cut_to_whole_steps() -> None:
    """An amount covers the ticks × lots that fit into it."""
    assert SCALE.budget(Decimal("0.00000039")) == 3
