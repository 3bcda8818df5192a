"""Orders for the engine, in whole ticks and lots.

A *tick* is the smallest step of a symbol's price, a *lot* the smallest step of its quantity. In these units
every price, quantity and amount is an integer, so that matching is exact and fast. What a tick or a lot is
worth, the engine neither knows nor needs.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """Side of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """Return the side that this one trades with."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Type of an order; the names are Binance's."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def waits_for_trigger(self) -> bool:
        """Tell whether the order waits until the last trade price reaches its trigger."""
        return self in _TRIGGERED

    @property
    def has_price(self) -> bool:
        """Tell whether the order carries a limit price."""
        return self in _PRICED


class TimeInForce(StrEnum):
    """Time in force of a limit order."""

    GTC = "GTC"
    """Until it is canceled."""
    IOC = "IOC"
    """What does not trade at once expires."""
    FOK = "FOK"
    """It trades whole and at once, or not at all."""


class SelfTradePrevention(StrEnum):
    """What happens when an order meets one of the same owner; the taker's mode decides.

    Source: Binance, "Self Trade Prevention (STP) FAQ".
    """

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"
    """Both lose what they would have traded: the smaller one expires."""
    TRANSFER = "TRANSFER"
    """As DECREMENT; between accounts of one trade group it would also move what was not traded."""

    @property
    def decrements(self) -> bool:
        """Tell whether both orders shrink by what they would have traded."""
        return self is SelfTradePrevention.DECREMENT or self is SelfTradePrevention.TRANSFER


_TRIGGERED = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
_PRICED = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class NewOrder(Struct, frozen=True, gc=False):
    """An order as handed to the engine.

    `quantity` counts lots; None for an order that is sized by its amount alone. `budget` counts ticks × lots:
    the most that may be spent (or, selling, be taken in) by an order without a price. An order with both
    ends at whichever is reached first.
    """

    order_id: int
    """Chosen by the caller; never used twice."""
    side: Side
    type: OrderType = OrderType.LIMIT
    quantity: int | None = None
    price: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_price: int | None = None
    budget: int | None = None
    owner: int = 0
    """The owner, for self-trade prevention; orders of owner 0 are never prevented."""
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    hidden: bool = False
    """Whether it rests without being shown; it trades as any other order of its price and time."""


def contradiction(order: NewOrder) -> str | None:
    """Return what is wrong with an order by itself; None when it is valid."""
    if order.quantity is None and (order.budget is None or order.type is not OrderType.MARKET):
        return "only a market order is sized by its budget alone"
    if (order.quantity is not None and order.quantity <= 0) or (order.budget is not None and order.budget <= 0):
        return "quantity and budget are positive"
    if (order.price is not None) != (order.type in _PRICED):
        return "limit orders carry a price, and they alone"
    if order.budget is not None and order.price is not None:
        return "an order with a price has no budget"
    if (order.trigger_price is not None) != (order.type in _TRIGGERED):
        return "stop and take-profit orders carry a trigger price, and they alone"
    if order.type is OrderType.LIMIT_MAKER and order.time_in_force is not TimeInForce.GTC:
        return "a limit-maker order stands until it is canceled"
    return None
