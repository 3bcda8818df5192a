"""A symbol's listing and its trading rules."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_matching import OrderType, SelfTradePrevention
from millrace_simulator.venue.scale import Scale


class SymbolRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A listed symbol; the defaults suit a symbol quoted in USDT."""

    symbol: str
    """Binance's spelling: BTCUSDT."""
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    opening_price: Decimal
    max_price: Decimal = Decimal(1_000_000)
    max_quantity: Decimal = Decimal(9_000_000)
    max_market_quantity: Decimal = Decimal(100_000)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    percent_price_up: Decimal = Decimal(5)
    percent_price_down: Decimal = Decimal("0.2")
    average_price_minutes: int = 5
    max_orders: int = 200
    max_algo_orders: int = 5

    @property
    def order_types(self) -> tuple[OrderType, ...]:
        """Return the order types that the symbol permits."""
        return tuple(OrderType)

    @property
    def self_trade_modes(self) -> tuple[SelfTradePrevention, ...]:
        """Return the modes of self-trade prevention that an order may ask for."""
        return tuple(SelfTradePrevention)

    @property
    def default_self_trade_mode(self) -> SelfTradePrevention:
        """Return the mode of an order that asks for none."""
        return SelfTradePrevention.EXPIRE_MAKER

    @property
    def scale(self) -> Scale:
        """Return the scale: the value of a tick and a lot."""
        return Scale(self.tick_size, self.lot_size)
