"""Accounts' orders: requests, states and execution reports. Money is `Decimal`."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from millrace_matching import NewOrder, OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch
from millrace_simulator.venue.scale import Scale


class OrderStatus(StrEnum):
    """Status of an order; the names are Binance's."""

    PENDING_NEW = "PENDING_NEW"
    """It is in an order list, and comes into the book once the list's working order is filled."""
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    """Ended by self-trade prevention."""

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still trade."""
        return self in _OPEN


_OPEN = frozenset({OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


class OrderExpiry(StrEnum):
    """Why an order expired; the names are Binance's."""

    REJECTED = "REJECTED"
    """It was pending, and refused when it was to come into the book."""
    EXCHANGE_CANCELED = "EXCHANGE_CANCELED"
    OCO_TRIGGER = "OCO_TRIGGER"
    """The other order of its pair trades, works or expired."""
    OTO_PHASE_ONE_EXPIRED = "OTO_PHASE_ONE_EXPIRED"
    """It was pending, and the working order expired."""
    UNFILLED_IOC_QUANTITY_EXPIRED = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK_ORDER_EXPIRED = "UNFILLED_FOK_ORDER_EXPIRED"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"


class ExecutionType(StrEnum):
    """Type of an execution report; the names are Binance's."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    TRADE = "TRADE"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


NO_LIST = -1
"""The `list_id` of an order that is in no order list."""


class OrderRequest(Struct, frozen=True, kw_only=True):
    """An order that an account wants placed."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    """In base asset; None when `quote_quantity` sizes the order."""
    quote_quantity: Decimal | None = None
    """MARKET only: the amount of quote asset to spend or to take in."""
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    """None means GTC."""
    stop_price: Decimal | None = None
    client_order_id: str | None = None
    """None lets the venue make one."""
    self_trade_prevention: SelfTradePrevention | None = None
    """None means the symbol's default."""
    strategy_id: int | None = None
    strategy_type: int | None = None
    hidden: bool = False
    """Whether it rests without being shown."""
    lifetime_s: int | None = None
    """It is canceled so long after it was placed; None means never."""
    remark: str | None = None
    tags: str | None = None


class Order(Struct, frozen=True, kw_only=True):
    """An account's order in one state; a later state is another object."""

    order_id: int
    """Consecutive a symbol, over all participants."""
    account_id: int
    symbol: str
    client_order_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    """In base asset; the traded quantity if the order is sized by quote amount."""
    price: Decimal
    """0 for an order without a price."""
    stop_price: Decimal | None = None
    quote_quantity: Decimal = Decimal(0)
    """The quote amount that sized the order; else 0."""
    status: OrderStatus = OrderStatus.NEW
    filled: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    """The amount paid or received for `filled`, without commission."""
    commission: Decimal = Decimal(0)
    """Paid so far."""
    is_working: bool = False
    """Whether it is or was in the book; False while it waits for its trigger."""
    created_us: int
    updated_us: int
    working_us: int = -1
    """When it came into the book; -1 before."""
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    strategy_id: int | None = None
    strategy_type: int | None = None
    hidden: bool = False
    lifetime_s: int | None = None
    remark: str | None = None
    tags: str | None = None
    list_id: int = NO_LIST
    """The order list that it belongs to."""
    expiry: OrderExpiry | None = None
    prevented: Decimal = Decimal(0)
    """The quantity that self-trade prevention took from it."""
    prevented_match_id: int | None = None
    """The last match that self-trade prevention kept it from."""
    amendments: int = 0
    """How often it was amended."""

    @property
    def remaining(self) -> Decimal:
        """Return the quantity that is not filled."""
        return self.quantity - self.filled

    @property
    def available(self) -> Decimal:
        """Return the quantity that can still be filled: what self-trade prevention took cannot."""
        return self.remaining - self.prevented


class OwnTrade(Struct, frozen=True, kw_only=True):
    """One fill of an account's order."""

    trade_id: int
    """The same as in the public trade stream."""
    order_id: int
    client_order_id: str
    list_id: int = NO_LIST
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    rate: Decimal = Decimal(0)
    """The commission as a share of the amount traded."""
    is_maker: bool
    time_us: int


class Placement(Struct, frozen=True):
    """The immediate result of placing an order."""

    order: Order
    """Its state after all immediate fills."""
    trades: tuple[OwnTrade, ...]
    """Its fills, in order."""
    prevented: tuple[PreventedMatch, ...] = ()
    """The matches that self-trade prevention kept it from, in order."""


class ExecutionReport(Struct, frozen=True, kw_only=True):
    """Something happened to an account's order; carries all of Binance's executionReport."""

    account_id: int
    execution_type: ExecutionType
    order: Order
    """The order just after it."""
    time_us: int
    execution_id: int
    """Consecutive over the venue."""
    client_order_id: str
    """`c`: the order's own id; in CANCELED and REPLACED the id that the cancel carried."""
    original_client_order_id: str = ""
    """`C`: the order's own id in CANCELED and REPLACED, else empty."""
    reject_reason: str = "NONE"
    trade: OwnTrade | None = None
    """The fill, in TRADE."""
    prevented: PreventedMatch | None = None
    """The match that was prevented, in TRADE_PREVENTION."""
    amendment: Amendment | None = None
    """What was changed, in REPLACED."""


class OrderRef(Struct, frozen=True):
    """Names an order by its id, by its client order id, or by both (then both must fit)."""

    order_id: int | None = None
    client_order_id: str | None = None


class CancelRestriction(StrEnum):
    """The only status in which an order may be canceled."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"

    @property
    def status(self) -> OrderStatus:
        """Return the required status."""
        return OrderStatus.NEW if self is CancelRestriction.ONLY_NEW else OrderStatus.PARTIALLY_FILLED


class Cancellation(Struct, frozen=True):
    """A canceled order and the id that the cancel carried."""

    order: Order
    """Its final state; `order.client_order_id` is its own id."""
    cancel_client_order_id: str


class CancelReplaceMode(StrEnum):
    """Whether the new order is placed although the cancel failed."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


def accepted(
    request: OrderRequest,
    new: NewOrder,
    account_id: int,
    client_order_id: str,
    scale: Scale,
    now_us: int,
    list_id: int = NO_LIST,
) -> Order:
    """Return the order of an accepted request, before it is matched."""
    works = not request.type.waits_for_trigger
    return Order(
        order_id=new.order_id,
        account_id=account_id,
        symbol=request.symbol,
        client_order_id=client_order_id,
        side=request.side,
        type=request.type,
        time_in_force=new.time_in_force,
        quantity=scale.quantity(new.quantity or 0),
        price=request.price or Decimal(0),
        stop_price=request.stop_price,
        quote_quantity=request.quote_quantity or Decimal(0),
        is_working=works,
        created_us=now_us,
        updated_us=now_us,
        working_us=now_us if works else -1,
        self_trade_prevention=new.self_trade_prevention,
        strategy_id=request.strategy_id,
        strategy_type=request.strategy_type,
        hidden=request.hidden,
        lifetime_s=request.lifetime_s,
        remark=request.remark,
        tags=request.tags,
        list_id=list_id,
    )
