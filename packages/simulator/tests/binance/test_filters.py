"""A symbol's rules in Binance's published form."""

import msgspec
import pytest

from millrace_simulator.binance.filters import filters
from millrace_simulator.listings import BINANCE_SYMBOLS
from millrace_simulator.venue import SymbolRules


@pytest.mark.parametrize("rules", BINANCE_SYMBOLS, ids=lambda rules: rules.symbol)
def test_filters_are_published_as_binance_does(rules: SymbolRules) -> None:
    """PRICE_FILTER leads; every number is text with eight places, and no text has an exponent."""
    published = [msgspec.to_builtins(rule) for rule in filters(rules)]
    assert published[0]["filterType"] == "PRICE_FILTER"
    assert published[0]["tickSize"] == f"{rules.tick_size:.8f}"
    assert {"LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS"} <= {
        entry["filterType"] for entry in published
    }
    assert not any("E" in value for entry in published for key, value in entry.items() if key.endswith(("Qty", "Size")))
