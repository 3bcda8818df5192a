"""The venue's rejections in KuCoin's codes and words."""

from __future__ import annotations

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.venue import VenueError
from millrace_simulator.venue.errors import (
    InsufficientBalance,
    NoLiquidity,
    Rule,
    RuleBroken,
    SymbolHalted,
    UnknownOrder,
    UnknownSymbol,
)

_BROKEN = {
    Rule.PRICE: ("600100", "Price increment invalid."),
    Rule.PRICE_RANGE: ("400370", "The order price is out of the price limit."),
    Rule.QUANTITY: ("600100", "Order size increment invalid."),
    Rule.MARKET_QUANTITY: ("400100", "Order size above the maximum requirement."),
    Rule.NOTIONAL: ("600101", "The order funds should more then the minimum funds of the symbol."),
    Rule.OPEN_ORDERS: ("200003", "Too many open orders of the symbol."),
    Rule.WAITING_ORDERS: ("400200", "Too many untriggered stop orders of the symbol."),
}


def rejection(refusal: VenueError) -> KucoinError:
    """Return the answer to a request that the venue refused."""
    if isinstance(refusal, RuleBroken):
        return KucoinError(*_BROKEN[refusal.rule])
    if isinstance(refusal, InsufficientBalance):
        return KucoinError("200004", "Balance insufficient!")
    if isinstance(refusal, UnknownOrder):
        return errors.cannot_cancel()
    if isinstance(refusal, UnknownSymbol):
        return errors.unknown_symbol()
    if isinstance(refusal, SymbolHalted):
        return KucoinError("400200", "Forbidden to place an order")
    if isinstance(refusal, NoLiquidity):
        return KucoinError("300000", "The order book has no order on the other side.")
    return KucoinError("300000", str(refusal))
