"""Why the venue rejects a call; a rejected call has changed nothing. The dialect maps these to its own codes.

VenueError
├── UnknownSymbol               symbol
├── UnknownApiKey
├── SymbolHalted                symbol        the symbol is not trading now
├── InvalidRequest              field, reason an order's fields contradict each other
├── RuleBroken                  rule          a rule of the symbol is broken
├── InsufficientBalance         asset, needed, free
├── DuplicateClientOrderId      client_order_id    an *open* order has this id
├── WouldTake                                 a limit-maker order would have traded
├── WouldTrigger                              a stop price is reached already
├── NoLiquidity                               a market order finds the other side empty
├── PriceRelation                             the prices of a pair lie on the wrong sides of the last price
├── AmendRejected               reason        the order cannot be amended so
├── UnknownOrderList                          no such order list of this account
├── UnknownOrder                symbol        no such order of this account, or (to cancel) it is final
└── CancelRestricted            status        the order is not in the state that the cancel demands
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


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


class Rule(StrEnum):
    """A rule of a symbol that every order must meet."""

    PRICE = "price"
    """Its bounds and its step."""
    PRICE_RANGE = "price range"
    """How far it may lie from the average of the last minutes."""
    QUANTITY = "quantity"
    """Its bounds and its step."""
    MARKET_QUANTITY = "market quantity"
    """Its bound in a market order."""
    NOTIONAL = "notional"
    """The least and the most that price × quantity may be."""
    OPEN_ORDERS = "open orders"
    """How many an account may have."""
    WAITING_ORDERS = "waiting orders"
    """How many of them may wait for a trigger."""
    ORDER_LISTS = "order lists"
    """How many an account may have open."""
    AMENDMENTS = "amendments"
    """How often one order may be amended."""


class RuleBroken(VenueError):
    """A rule of the symbol is broken."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(f"rule broken: {rule}")
        self.rule = rule


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


class PriceRelation(VenueError):
    """The prices of a pair lie on the wrong sides of the last price."""


class Amend(StrEnum):
    """Why an order cannot be amended."""

    INCREASE = "increase"
    """The new quantity is higher."""
    NO_CHANGE = "no change"
    """The new quantity is the present one."""
    FILLED = "filled"
    """No less than the new quantity is filled already."""


class AmendRejected(VenueError):
    """The order cannot be amended so."""

    def __init__(self, reason: Amend) -> None:
        super().__init__(f"cannot be amended: {reason}")
        self.reason = reason


class UnknownOrderList(VenueError):
    """The account has no such order list or, when it was to be canceled, it is done."""


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
