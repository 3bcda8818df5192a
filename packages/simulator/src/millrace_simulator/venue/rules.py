"""A symbol's listing and its trading rules."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from millrace_matching import OrderType, SelfTradePrevention
from millrace_simulator.venue.scale import Scale


class CommissionAsset(StrEnum):
    """In which asset the commission of a trade is paid."""

    RECEIVED = "received"
    """The base asset when buying, the quote asset when selling: the account receives less."""
    QUOTE = "quote"
    """Buying costs that much more, and the order holds it in advance."""


class SymbolRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A listed symbol; the defaults suit a symbol quoted in USDT."""

    symbol: str
    """As the exchange spells it: BTCUSDT, BTC-USDT."""
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
    typical_notional: Decimal | None = None
    """About what the participants of the market trade at once; None for a hundred times the least notional."""
    percent_price_up: Decimal = Decimal(5)
    percent_price_down: Decimal = Decimal("0.2")
    average_price_minutes: int = 5
    max_orders: int = 200
    max_algo_orders: int = 5
    max_order_lists: int = 20
    max_amendments: int = 10
    commission_asset: CommissionAsset = CommissionAsset.RECEIVED
    commission_step: Decimal = Decimal("1e-8")
    """Commission is rounded down to a multiple of it."""
    default_self_trade_mode: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    """The mode of an order that asks for none."""
    unique_client_order_ids: bool = True
    """Whether an order is refused whose client order id an open one has."""
    refuses_takers: bool = True
    """Whether a limit-maker order that would trade at once is refused; otherwise it is accepted and ends unfilled."""

    @property
    def order_types(self) -> tuple[OrderType, ...]:
        """Return the order types that the symbol permits."""
        return tuple(OrderType)

    @property
    def self_trade_modes(self) -> tuple[SelfTradePrevention, ...]:
        """Return the modes of self-trade prevention that an order may ask for."""
        return tuple(SelfTradePrevention)

    @property
    def scale(self) -> Scale:
        """Return the scale: the value of a tick and a lot."""
        return Scale(self.tick_size, self.lot_size)
