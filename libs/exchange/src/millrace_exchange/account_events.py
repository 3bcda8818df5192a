"""What an exchange documents of the events of an account, and whether one is as documented. Pure.

An event with a field missing, of another type or with a value that the exchange does not know makes a wrong order or a
wrong balance of what is read from it, or none. Each event is checked by this first; the exchange is asked if it fails.
"""

from collections.abc import Callable, Container, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from millrace_core.json_problems import UNREADABLE
from millrace_exchange.profile import NativeFeed

_Text = Annotated[str, Meta(min_length=1)]
_Number = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?([eE][+-]?\d{1,2})?$")]
_Time = Annotated[int, Meta(ge=1)] | Annotated[str, Meta(pattern=r"^[1-9]\d*$")]
_ACCOUNTS: Final = r"^(main|trade|trade_hf|margin|margin_v2|isolated|isolated_v2|other)(\.|$)"
"""How KuCoin's events of balances begin: with the kind of account."""
_Count = Annotated[int, Meta(ge=0)]


class Listed(NamedTuple):
    """What the exchange lists, by its own names; nothing is doubted where that is not known."""

    markets: Container[str] = ()
    currencies: Container[str] = ()


EVERYTHING: Final = Listed()
"""What is listed is not known."""


class _Report(Struct, frozen=True):
    """Binance's `executionReport`. Source: user-data-stream.md, "Order Update"."""

    s: _Text
    c: _Text
    S: Literal["BUY", "SELL"]
    o: Literal["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER"]
    f: Literal["GTC", "IOC", "FOK"]
    q: _Number
    p: _Number
    P: _Number
    C: str | None
    x: Literal["NEW", "CANCELED", "REPLACED", "REJECTED", "TRADE", "EXPIRED", "TRADE_PREVENTION"]
    X: Literal[
        "NEW",
        "PENDING_NEW",
        "PARTIALLY_FILLED",
        "FILLED",
        "CANCELED",
        "PENDING_CANCEL",
        "REJECTED",
        "EXPIRED",
        "EXPIRED_IN_MATCH",
    ]
    i: _Count
    z: _Number
    l: _Number  # noqa: E741
    L: _Number
    Y: _Number
    n: _Number
    N: _Text | None
    t: Annotated[int, Meta(ge=-1)]
    m: bool
    E: _Time
    T: _Time
    O: _Time  # noqa: E741
    I: _Count  # noqa: E741
    Z: _Number
    Q: _Number

    def __post_init__(self) -> None:
        if self.x == "TRADE" and self.t < 0:
            raise ValueError("a trade without an id")
        if self.x == "CANCELED" and not self.C:
            raise ValueError("a cancel without the order's own id")
        if self.N is None and self.n.strip("0."):
            raise ValueError("a fee without a currency")


class _Held(Struct, frozen=True):
    a: _Text
    f: _Number
    l: _Number  # noqa: E741


class _Position(Struct, frozen=True):
    """Binance's `outboundAccountPosition`. Source: user-data-stream.md, "Account Update"."""

    E: _Time
    u: _Time
    B: Annotated[list[_Held], Meta(min_length=1)]


class _Change(Struct, frozen=True, kw_only=True, rename="camel"):
    """KuCoin's `orderChange`; a market order has no price, and one that spends an amount of money no size."""

    symbol: _Text
    order_id: _Text
    type: Literal["received", "open", "match", "update", "filled", "canceled"]
    side: Literal["buy", "sell"]
    order_type: Literal["limit", "market"]
    ts: _Time
    order_time: _Time
    client_oid: str | None = None
    price: _Number | Literal[""] | None = None
    size: _Number | None = None
    origin_size: _Number | None = None
    filled_size: _Number | None = None
    remain_size: _Number | None = None
    canceled_size: _Number | None = None
    liquidity: Literal["taker", "maker"] | None = None
    match_price: _Number | None = None
    match_size: _Number | None = None
    trade_id: _Text | None = None

    def __post_init__(self) -> None:
        if self.type == "match" and None in (self.match_price, self.match_size, self.trade_id, self.liquidity):
            raise ValueError("a match without its price, its size, its id or its liquidity")
        if self.type != "received" and self.filled_size is None:
            raise ValueError("an order without what is filled of it")


class _Balance(Struct, frozen=True, rename="camel"):
    """KuCoin's `account.balance`."""

    currency: _Text
    available: _Number
    hold: _Number
    total: _Number
    time: _Time
    relation_event: Annotated[str, Meta(pattern=_ACCOUNTS)]


_BINANCE_OTHERS: Final = (
    *("balanceUpdate", "listStatus", "externalLockUpdate"),
    *("eventStreamTerminated", "serverShutdown"),
)
_KUCOIN_ORDERS, _KUCOIN_BALANCE = "/spotMarket/tradeOrders", "/account/balance"
_KUCOIN_OTHERS: Final = ("/spotMarket/advancedOrders", "/contract")
UNKNOWN: Final = "an event of an unknown kind"


def _binance_problem(frame: Mapping[str, Any], listed: Listed) -> str | None:
    if "event" not in frame and "subscriptionId" not in frame:
        return None
    event: Any = frame.get("event")
    kind = event.get("e") if isinstance(event, Mapping) else None
    if kind == "executionReport":
        return _problem(event, _Report) or _unlisted(event["s"], listed.markets)
    if kind == "outboundAccountPosition":
        return _problem(event, _Position) or _unlisted_of(event["B"], listed.currencies)
    return None if kind in _BINANCE_OTHERS else UNKNOWN


def _kucoin_problem(frame: Mapping[str, Any], listed: Listed) -> str | None:
    topic, subject = frame.get("topic"), frame.get("subject")
    data: Any = frame.get("data")
    is_order = isinstance(topic, str) and topic.startswith(_KUCOIN_ORDERS)
    if not (is_order or topic == _KUCOIN_BALANCE or "userId" in frame or frame.get("channelType") == "private"):
        return UNKNOWN if subject in ("orderChange", "account.balance") else None
    if is_order and subject == "orderChange":
        return _problem(data, _Change) or _unlisted(data["symbol"], listed.markets)
    if topic == _KUCOIN_BALANCE and subject == "account.balance":
        return _problem(data, _Balance) or _unlisted(data["currency"], listed.currencies)
    return None if isinstance(topic, str) and topic.startswith(_KUCOIN_OTHERS) else UNKNOWN


_PROBLEMS: Final[Mapping[NativeFeed, Callable[[Mapping[str, Any], Listed], str | None]]] = {
    "binance_spot": _binance_problem,
    "kucoin_spot": _kucoin_problem,
}


def account_event_problem(form: NativeFeed | None, frame: Any, listed: Listed) -> str | None:
    """Return why an event of an account says nothing; None if it is as documented, or if the frame is none."""
    if form is None or not isinstance(frame, Mapping):
        return None
    return _PROBLEMS[form](frame, listed)


def _problem(data: Any, form: type[Struct]) -> str | None:
    try:
        msgspec.convert(data, form)
    except UNREADABLE as error:
        return str(error)
    return None


def _unlisted(name: str, listed: Container[str]) -> str | None:
    return f"it names {name}, which is not listed" if listed and name not in listed else None


def _unlisted_of(held: list[Mapping[str, str]], listed: Container[str]) -> str | None:
    return next((problem for each in held if (problem := _unlisted(each["a"], listed))), None)
