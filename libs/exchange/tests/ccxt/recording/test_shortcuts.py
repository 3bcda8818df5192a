"""The shortcuts return what ccxt returns, for any input."""

from typing import Any

from ccxt.base.decimal_to_precision import NO_PADDING, ROUND, TICK_SIZE, TRUNCATE, decimal_to_precision
from ccxt.base.exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from millrace_exchange.ccxt.recording.shortcuts import Shortcuts

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))


@given(st.integers(-10, 300_000_000_000_000) | VALUES)
def test_times_read_as_from_ccxt(timestamp: Any) -> None:
    """Times agree to the millisecond, and invalid ones too."""
    assert Shortcuts.iso8601(timestamp) == Exchange.iso8601(timestamp)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES))
def test_what_is_signed_is_what_ccxt_signs(params: dict[str, Any]) -> None:
    """Character for character: the signature is made of it."""
    assert Shortcuts.rawencode(params) == Exchange.rawencode(params)


@given(st.integers(0, 10**9) | st.floats(0, 1e9), st.sampled_from([0.01, 0.0001, 1e-8, 5, 0.05]))
def test_numbers_are_rounded_as_by_ccxt(number: float, tick: float) -> None:
    """The same digits, also of a number that was rounded before."""
    for rounding in (TRUNCATE, ROUND):
        arguments = (number, rounding, tick, TICK_SIZE, NO_PADDING)
        for _ in range(2):
            assert Shortcuts.decimal_to_precision(*arguments) == decimal_to_precision(*arguments)
