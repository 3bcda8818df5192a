"""The ids of an exchange's orders, ours and its own, and the form of its answers about them; part of its profile."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from millrace_core.ids import RequestId

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE62_DIGITS: Final = 22
"""Digits that 128 bits take."""
_NO_IDS: Final = frozenset({"None", "null", "undefined"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOrderIds:
    """The ids that we give to orders."""

    form: Literal["hex", "base62", "int45"] = "hex"
    """`hex`: the request id as it is, 32 hex digits. `base62`: the same 128 bits in 22 characters. `int45`: its lowest
    45 bits as a number, where the exchange takes no more."""
    prefix: str = ""
    """Prefix that the exchange requires."""
    uniqueness: Literal["open_orders", "always", "returns_first", "not_enforced", "unknown"] = "unknown"
    """What the exchange does with a second order under the same id. `open_orders`: refused only while the first is
    open, so that after a fill a second order is placed. `always`: refused. `returns_first`: the first order is
    returned."""
    of_contracts: bool = True
    """Whether ccxt sends the id with orders in contracts too; there are none where it does not."""
    parameters: tuple[str, ...] = ("clientOrderId",)
    """Names under which ccxt's methods take the id."""
    fetches: bool = False
    """Whether ccxt's `fetch_order` takes the id. Where it does not, its `OrderNotFound` proves nothing: look for the id
    among the open orders, the closed ones and the own trades."""
    finds_closed: bool = False
    """Whether asking for an order by our id also finds one that is no longer open."""
    cancels: bool = False
    """Whether ccxt's `cancel_order` takes the id in place of the exchange's."""
    in_cancels: str | None = None
    """Field of the answer to a cancel with the order's id, where ccxt takes the cancel's own for it."""

    def of(self, request_id: RequestId) -> str:
        """Return a request's client order id, the same at every attempt."""
        number = int(request_id, 16)
        forms = {"hex": request_id, "base62": _base62(number), "int45": str(number % 2**45)}
        return self.prefix + forms[self.form]

    def params(self, client_order_id: str) -> dict[str, Any]:
        """Return the ccxt parameters that carry an id; a number where the exchange wants one."""
        return dict.fromkeys(self.parameters, int(client_order_id) if self.form == "int45" else client_order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdScopes:
    """Scopes within which the exchange's own ids are unique."""

    order: Literal["exchange", "symbol"] = "symbol"
    own_trade: Literal["trade", "trade_and_order"] = "trade_and_order"
    """`trade_and_order`: a self-trade is two records of one trade id, distinguished by their orders."""
    numbers_public_trades: bool = False
    """Whether a symbol's public trades are numbered consecutively, so that a gap shows."""


Fields = Mapping[str | int, frozenset[str | int]]
"""Names of fields, or places in a list, by one that shows of what kind a record is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredFields:
    """What the exchange's records of orders, trades and balances always hold, where ccxt makes up what is missing.

    A record that has the field in front has a value in each of the others, or proves nothing: ccxt takes an amount that
    was not sent for 0, another number or side for one that was not sent, or leaves the record out.
    """

    order: Fields = field(default_factory=dict)
    trade: Fields = field(default_factory=dict)
    balance: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswers:
    """The form of answers to questions about an account's orders and trades."""

    are_bare: bool | None = None
    """Whether the JSON is a list, and not an object that holds one; None if that differs or is not known."""
    rows_in: frozenset[str] = frozenset()
    """Names under which the rows stand in an object; without any, any list or object may hold rows."""
    balances_in: frozenset[str] = frozenset()
    """The same of balances."""
    hold_one_order: bool = False
    """Whether the answer about one order is a list too, which is empty if there is no such order; ccxt makes an order
    without an id of that."""
    are_of_all_symbols: bool = False
    """Whether a list that is asked for one symbol holds the rows of others too, which ccxt leaves out."""


LEAST_PAGE: Final = 20
"""A list of fewer orders or trades is whole: no exchange answers with so few of them at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrderPages:
    """How more open orders than one answer holds are asked for."""

    page: int | None = LEAST_PAGE
    """Orders of a symbol that one answer holds at most, unless more are asked for; None if it always holds all."""
    next_by: Literal["oldest_id", "oldest_time", "number", "cursor"] | None = None
    """What names the next page: the lowest id of those listed, the time of the oldest, its number, or a text in the
    answer. None: it cannot be asked for, so that nothing shows whether a full answer is all."""
    parameter: str = ""
    """The parameter that takes it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Further parameters of such a question."""
    cursor: str = ""
    """The field with that text; it is empty if there are no more."""
    paged_in: str = ""
    """The name under which a page's orders stand, if an answer that holds them elsewhere holds all."""
    of_account: tuple[Mapping[str, Any], ...] = ({},)
    """Parameters of the questions that together list an account's open orders of all symbols."""
    symbols_method: str | None = None
    """ccxt's method that returns the markets with open orders, where an account may be one whose open orders can only
    be asked for market by market."""
    covers: Literal["account", "kind"] = "kind"
    """What they list: `account`, the orders in all markets; `kind`, those in markets of one kind alone, which their
    parameters name or else ccxt's option `defaultType`."""
    limit: int | None = None
    """Orders that are asked for; None for as many as the exchange answers with by itself."""
    contracts: "OpenOrderPages | None" = None
    """The same of contracts, where their pages are others."""
    apart: str = ""
    """What ccxt's `baseName` holds in the markets that even those of `account` leave out."""


def is_order_id(value: object) -> bool:
    """Tell whether a value names an order. No exchange numbers one 0 or below: so they say that there is none."""
    return type(value) is str and value not in _NO_IDS and not value.startswith("-") and value.strip("0") != ""


def is_same_id(found: str, wanted: str) -> bool:
    """Tell whether an exchange's id of an order is the one that was asked for: a number may have been typed as 007."""
    return plain_id(found) == plain_id(wanted)


def plain_id(order_id: str) -> str:
    """Return an exchange's id of an order without zeros before a number."""
    return order_id.lstrip("0") or "0" if order_id.isdigit() else order_id


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(_BASE62_DIGITS, _BASE62[0])
