"""Numbers as they are shown."""

import pytest

from millrace_console.display.text import short_number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0.333333333333333333333333", "0.33333333"),
        ("1234.123456789", "1,234.12345679"),
        ("0.000000032451", "0.00000003245"),
        ("0.0000000042", "0.0000000042"),
        ("-0.000000000123456", "\N{MINUS SIGN}0.0000000001235"),
        ("0E-24", "0"),
        (None, "–"),
    ],
)
def test_a_small_number_is_not_shown_as_none(value: str | None, shown: str) -> None:
    """Prices of some coins begin after eight zeros: cut after eight decimals they would be 0, or nearly so."""
    assert short_number(value) == shown
