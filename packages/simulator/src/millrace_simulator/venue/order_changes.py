"""What happens to an open order without a trade: it is amended, or kept from trading with its own account."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_matching import SelfTradePrevention


class PreventedMatch(Struct, frozen=True, kw_only=True):
    """Two orders of one account that met and did not trade."""

    symbol: str
    match_id: int
    """Consecutive a symbol, from 0."""
    account_id: int
    taker_order_id: int
    maker_order_id: int
    mode: SelfTradePrevention
    """The taker's."""
    price: Decimal
    taker_quantity: Decimal
    """What the taker lost; 0 if the mode spares it."""
    maker_quantity: Decimal
    time_us: int

    def lost_by(self, order_id: int) -> Decimal:
        """Return what one of the two orders lost."""
        return self.taker_quantity if order_id == self.taker_order_id else self.maker_quantity

    def other(self, order_id: int) -> int:
        """Return the id of the order that this one met."""
        return self.maker_order_id if order_id == self.taker_order_id else self.taker_order_id


class Amendment(Struct, frozen=True, kw_only=True):
    """A change of an open order that left it in its place."""

    symbol: str
    order_id: int
    execution_id: int
    former_client_order_id: str
    client_order_id: str
    former_quantity: Decimal
    quantity: Decimal
    time_us: int
