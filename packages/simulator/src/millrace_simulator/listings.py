"""The symbols of the built-in exchange.

Every tick × lot is a whole number of 1e-8, so that all amounts print exactly.
"""

from __future__ import annotations

from decimal import Decimal

from millrace_simulator.venue.rules import SymbolRules


def _listing(symbol: str, base: str, price: str, tick: str, lot: str) -> SymbolRules:
    """Return a symbol quoted in USDT."""
    return SymbolRules(
        symbol=symbol,
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        opening_price=Decimal(price),
    )


DEFAULT_SYMBOLS = (
    _listing("BTCUSDT", "BTC", "97400.00", "0.01", "0.00001"),
    _listing("ETHUSDT", "ETH", "3506.40", "0.01", "0.0001"),
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
    _listing("KCSUSDT", "KCS", "12.500", "0.001", "0.01"),
    _listing("BNBUSDT", "BNB", "652.30", "0.01", "0.001"),
    _listing("SOLUSDT", "SOL", "184.20", "0.01", "0.001"),
    _listing("XRPUSDT", "XRP", "2.3500", "0.0001", "0.1"),
    _listing("ADAUSDT", "ADA", "0.7420", "0.0001", "0.1"),
)
"""Binance's spellings, with prices and steps of their kind (KCS is KuCoin's own coin, listed here all the same)."""
