"""What each dialect lists when a config file does not say: symbols with prices and steps of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from millrace_simulator.venue.rules import SymbolRules

DialectName = Literal["binance"]


def _binance(symbol: str, base: str, price: str, tick: str, lot: str) -> SymbolRules:
    """Return a symbol quoted in USDT."""
    return SymbolRules(
        symbol=symbol,
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        opening_price=Decimal(price),
    )


BINANCE_SYMBOLS = (
    _binance("BTCUSDT", "BTC", "97400.00", "0.01", "0.00001"),
    _binance("ETHUSDT", "ETH", "3506.40", "0.01", "0.0001"),
    SymbolRules(
        symbol="ETHBTC",
        base="ETH",
        quote="BTC",
        tick_size=Decimal("0.00001"),
        lot_size=Decimal("0.001"),
        opening_price=Decimal("0.03600"),
        max_price=Decimal(922_327),
        min_notional=Decimal("0.0001"),
    ),
    _binance("KCSUSDT", "KCS", "12.500", "0.001", "0.01"),
    _binance("BNBUSDT", "BNB", "652.30", "0.01", "0.001"),
    _binance("SOLUSDT", "SOL", "184.20", "0.01", "0.001"),
    _binance("XRPUSDT", "XRP", "2.3500", "0.0001", "0.1"),
    _binance("ADAUSDT", "ADA", "0.7420", "0.0001", "0.1"),
)
"""KCS, KuCoin's own coin, is listed too.

Every tick × lot is a whole number of 1e-8, so that all amounts print exactly.
"""

SYMBOLS: Mapping[DialectName, tuple[SymbolRules, ...]] = {"binance": BINANCE_SYMBOLS}
