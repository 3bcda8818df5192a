"""What each dialect lists when a config file does not say: symbols with prices and steps of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from millrace_matching import SelfTradePrevention
from millrace_simulator.venue.rules import CommissionAsset, SymbolRules

DialectName = Literal["binance", "kucoin"]


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


def _kucoin(base: str, quote: str, price: str, tick: str, lot: str, least: str = "0.1") -> SymbolRules:
    """Return a symbol with KuCoin's practices."""
    return SymbolRules(
        symbol=f"{base}-{quote}",
        base=base,
        quote=quote,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        opening_price=Decimal(price),
        min_notional=Decimal(least),
        typical_notional=5000 * Decimal(least),
        commission_asset=CommissionAsset.QUOTE,
        commission_step=Decimal("1e-12"),
        default_self_trade_mode=SelfTradePrevention.NONE,
        unique_client_order_ids=False,
        refuses_takers=False,
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

KUCOIN_SYMBOLS = (
    _kucoin("BTC", "USDT", "97400.0", "0.1", "0.0000001"),
    _kucoin("ETH", "USDT", "3506.40", "0.01", "0.000001"),
    _kucoin("ETH", "BTC", "0.03600", "0.00001", "0.001", "0.000002"),
    _kucoin("KCS", "USDT", "12.500", "0.001", "0.0001"),
    _kucoin("BNB", "USDT", "652.300", "0.001", "0.0001"),
    _kucoin("SOL", "USDT", "184.20", "0.01", "0.0001"),
    _kucoin("XRP", "USDT", "2.35000", "0.00001", "0.0001"),
    _kucoin("ADA", "USDT", "0.7420", "0.0001", "0.0001"),
)

SYMBOLS: Mapping[DialectName, tuple[SymbolRules, ...]] = {"binance": BINANCE_SYMBOLS, "kucoin": KUCOIN_SYMBOLS}
