"""The venue's rejections in Binance's codes and words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.venue import VenueError
from millrace_simulator.venue.errors import (
    Amend,
    AmendRejected,
    CancelRestricted,
    DuplicateClientOrderId,
    InsufficientBalance,
    InvalidRequest,
    NoLiquidity,
    PriceRelation,
    Rule,
    RuleBroken,
    SymbolHalted,
    UnknownOrder,
    UnknownOrderList,
    UnknownSymbol,
    WouldTake,
    WouldTrigger,
)

_NEW_ORDER_REJECTED: dict[type[VenueError], str] = {
    InsufficientBalance: "Account has insufficient balance for requested action.",
    DuplicateClientOrderId: "Duplicate order sent.",
    WouldTake: "Order would immediately match and take.",
    WouldTrigger: "Stop price would trigger immediately.",
    PriceRelation: "The relationship of the prices for the orders is not correct.",
    NoLiquidity: "Order book liquidity is less than LOT_SIZE filter minimum quantity.",
}

_AMEND_REJECTED = {
    Amend.INCREASE: "Order amend (quantity increase) is not supported.",
    Amend.NO_CHANGE: "The requested action would change no state; rejecting",
    Amend.FILLED: "The requested action would change no state; rejecting",
}

_FILTERS = {
    Rule.PRICE: "PRICE_FILTER",
    Rule.PRICE_RANGE: "PERCENT_PRICE_BY_SIDE",
    Rule.QUANTITY: "LOT_SIZE",
    Rule.MARKET_QUANTITY: "MARKET_LOT_SIZE",
    Rule.NOTIONAL: "NOTIONAL",
    Rule.OPEN_ORDERS: "MAX_NUM_ORDERS",
    Rule.WAITING_ORDERS: "MAX_NUM_ALGO_ORDERS",
    Rule.ORDER_LISTS: "MAX_NUM_ORDER_LISTS",
    Rule.AMENDMENTS: "MAX_NUM_ORDER_AMENDS",
}
"""The filter that publishes each rule."""


def rejection(refusal: VenueError) -> BinanceError:
    """Return the answer to a new order or a cancellation that the venue refused."""
    if isinstance(refusal, RuleBroken):
        return errors.filter_failure(_FILTERS[refusal.rule])
    if isinstance(refusal, UnknownOrder):
        return errors.cancel_rejected()
    if isinstance(refusal, UnknownOrderList):
        return errors.cancel_rejected()
    if isinstance(refusal, AmendRejected):
        return BinanceError(-2038, _AMEND_REJECTED[refusal.reason])
    if isinstance(refusal, CancelRestricted):
        return errors.cancel_rejected("Order was not canceled due to cancel restrictions.")
    if isinstance(refusal, UnknownSymbol):
        return errors.invalid_symbol()
    if isinstance(refusal, SymbolHalted):
        return BinanceError(-1013, "Market is closed.")
    if isinstance(refusal, InvalidRequest):
        return BinanceError(-1014, "Unsupported order combination.")
    return errors.rejected(_NEW_ORDER_REJECTED.get(type(refusal), "NEW_ORDER_REJECTED"))


@contextmanager
def refusals() -> Iterator[None]:
    """Translate the venue's rejections inside the context to Binance's errors."""
    try:
        yield
    except VenueError as refusal:
        raise rejection(refusal) from refusal
