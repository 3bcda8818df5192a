"""A trade as one of its orders sees it: in decimals, with its commission."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from msgspec import Struct

from millrace_matching import Side, Traded
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.checks import hold_rate
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.orders import Order
from millrace_simulator.venue.rules import CommissionAsset


class Fill(Struct, frozen=True, gc=False):
    """One side of a trade, in decimals."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    is_maker: bool
    base: str
    quote: str
    commission_asset: str
    commission_step: Decimal
    """Commission is a multiple of it; what is below is not taken."""
    hold_rate: Decimal
    """What the order holds for its commission, as a share of its amount."""

    @property
    def notional(self) -> Decimal:
        """Return the amount of quote asset."""
        return self.price * self.quantity

    def commission(self, rate: Decimal) -> Decimal:
        """Return the commission at a rate."""
        amount = self.notional if self.commission_asset == self.quote else self.quantity
        return (amount * rate).quantize(self.commission_step, ROUND_DOWN)


def fill_of(traded: Traded, order: Order, instrument: Instrument, account: Account) -> Fill:
    """Return an order's side of a trade."""
    rules = instrument.rules
    in_base = rules.commission_asset is CommissionAsset.RECEIVED and order.side is Side.BUY
    return Fill(
        traded.trade_id,
        instrument.scale.price(traded.price),
        instrument.scale.quantity(traded.quantity),
        order.order_id == traded.maker_id,
        rules.base,
        rules.quote,
        rules.base if in_base else rules.quote,
        rules.commission_step,
        hold_rate(account, instrument),
    )
