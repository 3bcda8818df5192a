"""Why the venue rejects a call; a rejected call has changed nothing. The dialect maps these to its own codes.

VenueError
├── UnknownSymbol               symbol
├── UnknownApiKey
├── SymbolHalted                symbol        the symbol is not trading now
├── InvalidRequest              field, reason an order's fields contradict each other
├── FilterFailure               filter        a rule of the symbol is broken ("PRICE_FILTER", "LOT_SIZE", …)
├── InsufficientBalance         asset, needed, free
├── DuplicateClientOrderId      client_order_id    an *open* order has this id
├── WouldTake                                 a limit-maker order would have traded
├── WouldTrigger                              a stop price is reached already
├── NoLiquidity                               a market order finds the other side empty
├── UnknownOrder                symbol        no such order of this account, or (to cancel) it is final
└── CancelRestricted            status        the order is not in the state that the cancel demands
"""

from __future__ import annotations

from decimal import Decimal


class VenueError(Exception):
    """Root of the venue's rejections."""


class UnknownSymbol(VenueError):
    """The venue does not list this symbol."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"no symbol {symbol}")
        self.symbol = symbol


class UnknownApiKey(VenueError):
    """No account has this API key."""

    def __init__(self) -> None:
        super().__init__("no account has this API key")


class SymbolHalted(VenueError):
    """The symbol is listed but not trading."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"{symbol} is not trading")
        self.symbol = symbol


class InvalidRequest(VenueError):
    """The fields of a request contradict each other."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class FilterFailure(VenueError):
    """A rule of the symbol is broken; `filter` is the rule's name as Binance writes it."""

    def __init__(self, filter: str) -> None:  # noqa: A002
        super().__init__(f"filter failure: {filter}")
        self.filter = filter


class InsufficientBalance(VenueError):
    """The account has less free than the order would lock or spend."""

    def __init__(self, asset: str, needed: Decimal, free: Decimal) -> None:
        super().__init__(f"{needed} {asset} needed, {free} free")
        self.asset = asset
        self.needed = needed
        self.free = free


class DuplicateClientOrderId(VenueError):
    """An open order of this account and symbol has this client order id."""

    def __init__(self, client_order_id: str) -> None:
        super().__init__(f"an open order has the client order id {client_order_id}")
        self.client_order_id = client_order_id


class WouldTake(VenueError):
    """A limit-maker order would have traded at once."""


class WouldTrigger(VenueError):
    """The last trade price has already reached the stop price."""


class NoLiquidity(VenueError):
    """A market order finds nothing on the other side."""


class UnknownOrder(VenueError):
    """The account has no such order on this symbol or, when it was to be canceled, it is final."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"no such order on {symbol}")
        self.symbol = symbol


class CancelRestricted(VenueError):
    """The order is not in the one state in which the request wanted it canceled."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the order is {status}")
        self.status = status
