import pytest

from millrace_simulator.listings import BINANCE_SYMBOLS
from millrace_simulator.venue import SymbolRules


@pytest.mark.parametrize("rules", BINANCE_SYMBOLS, ids=lambda rules: rules.symbol)
def test_every_amount_prints_exactly(rules: SymbolRules) -> None:
    """A tick times a lot is a whole number of 1e-8, and the opening price is a whole number of ticks."""
    assert rules.tick_size * rules.lot_size * 10**8 % 1 == 0
    assert rules.opening_price % rules.tick_size == 0
