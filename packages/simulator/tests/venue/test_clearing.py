"""Money and goods are neither made nor lost, whatever accounts do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.venue import (
    Account,
    AccountSettings,
    ManualClock,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    SymbolRules,
    Venue,
)
from millrace_simulator.venue.errors import VenueError
from millrace_simulator.venue.order_lists import ListRequest
from millrace_simulator.venue.orders import NO_LIST
from millrace_simulator.venue.rules import CommissionAsset

RULES = SymbolRules(
    symbol="AB",
    base="A",
    quote="B",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.01"),
    opening_price=Decimal(10),
    min_notional=Decimal("0.1"),
)
PRICES = st.integers(90, 110).map(lambda ticks: ticks * Decimal("0.1"))
QUANTITIES = st.integers(1, 3000).map(lambda lots: lots * Decimal("0.01"))


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    """Any order that has the fields of its type."""
    kind = draw(st.sampled_from(OrderType))
    by_quote = kind is OrderType.MARKET and draw(st.booleans())
    return OrderRequest(
        symbol="AB",
        side=draw(st.sampled_from(Side)),
        type=kind,
        quantity=None if by_quote else draw(QUANTITIES),
        quote_quantity=draw(QUANTITIES) if by_quote else None,
        price=draw(PRICES) if kind.has_price else None,
        stop_price=draw(PRICES) if kind.waits_for_trigger else None,
        time_in_force=draw(st.sampled_from(TimeInForce)) if kind is OrderType.LIMIT else None,
        self_trade_prevention=draw(st.sampled_from(SelfTradePrevention)),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[OrderRequest, OrderRequest]:
    """A pair that fits the last price, or almost."""
    side, quantity, low = draw(st.sampled_from(Side)), draw(QUANTITIES), draw(st.integers(88, 102))
    low_price, high_price = low * Decimal("0.1"), (low + draw(st.integers(1, 12))) * Decimal("0.1")
    stop, limit = (low_price, high_price) if side is Side.SELL else (high_price, low_price)
    modes = st.sampled_from(SelfTradePrevention)
    terms = {"symbol": "AB", "side": side, "quantity": quantity, "self_trade_prevention": draw(modes)}
    return (
        OrderRequest(type=OrderType.STOP_LOSS, stop_price=stop, **terms),
        OrderRequest(type=OrderType.LIMIT_MAKER, price=limit, **terms),
    )


@st.composite
def lists(draw: st.DrawFn) -> ListRequest:
    """A pair alone, or a limit order that brings a pair or one order into the book."""
    orders = draw(st.one_of(pairs(), requests().filter(lambda request: request.quantity).map(lambda each: (each,))))
    if len(orders) == 2 and draw(st.booleans()):
        return ListRequest(symbol="AB", orders=orders)
    working = OrderRequest(
        symbol="AB",
        side=draw(st.sampled_from(Side)),
        type=OrderType.LIMIT,
        quantity=draw(QUANTITIES),
        price=draw(PRICES),
    )
    return ListRequest(symbol="AB", working=working, orders=orders)


class Reduction(NamedTuple):
    """The number of an order, and the share of it that an amendment leaves."""

    order_id: int
    share: Decimal


REDUCTIONS = st.builds(Reduction, st.integers(1, 30), st.integers(1, 99).map(lambda percent: Decimal(percent) / 100))
ACTIONS = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(requests(), lists(), REDUCTIONS, st.integers(1, 30))),
    min_size=1,
    max_size=30,
)


def act(venue: Venue, account: Account, action: OrderRequest | ListRequest | Reduction | int) -> None:
    """Place an order or a list, amend or cancel an order."""
    if isinstance(action, OrderRequest):
        venue.place(account, action)
    elif isinstance(action, ListRequest):
        venue.place_list(account, action)
    elif isinstance(action, Reduction):
        order = venue.order(account, "AB", OrderRef(action.order_id))
        quantity = (order.quantity * action.share).quantize(RULES.lot_size)
        venue.amend(account, "AB", OrderRef(action.order_id), quantity)
    else:
        venue.cancel(account, "AB", OrderRef(action))


def held(orders: Sequence[Order], worth: Callable[[Order], Decimal]) -> Decimal:
    """What open orders lock: of a pair only the larger, of a pending order nothing."""
    working = [order for order in orders if order.status is not OrderStatus.PENDING_NEW]
    by_list: dict[int, Decimal] = {}
    for order in working:
        if order.list_id != NO_LIST:
            by_list[order.list_id] = max(by_list.get(order.list_id, Decimal(0)), worth(order))
    return sum((worth(order) for order in working if order.list_id == NO_LIST), sum(by_list.values(), Decimal(0)))


@settings(max_examples=40, deadline=None)
@given(ACTIONS, st.sampled_from(CommissionAsset))
def test_nothing_is_made_or_lost(
    actions: list[tuple[int, OrderRequest | ListRequest | Reduction | int]], commission_asset: CommissionAsset
) -> None:
    """Balances and commission of all accounts add up to what they began with; locked is what open orders hold."""
    settings_ = [
        AccountSettings(api_key=str(number), secret="x", balances={"A": Decimal(50), "B": Decimal(500)})
        for number in range(3)
    ]
    venue = Venue([replace(RULES, commission_asset=commission_asset)], settings_, clock=ManualClock())
    accounts = list(venue.accounts.values())
    for number, action in actions:
        try:
            act(venue, accounts[number], action)
        except VenueError:
            continue
    for asset, begun in (("A", Decimal(150)), ("B", Decimal(1500))):
        balances = [account.balance(asset) for account in accounts]
        assert all(balance.free >= 0 and balance.locked >= 0 for balance in balances)
        assert sum(balance.free + balance.locked for balance in balances) + venue.fees.get(asset, Decimal(0)) == begun
    for account in accounts:
        open_orders = venue.open_orders(account)
        selling = held([order for order in open_orders if order.side is Side.SELL], lambda order: order.available)
        assert account.balance("A").locked == selling
        buying = [order for order in open_orders if order.side is Side.BUY]
        if all(order.type.has_price and order.list_id == NO_LIST for order in buying):
            share = Decimal(1) if commission_asset is CommissionAsset.RECEIVED else Decimal(1) + account.taker_rate
            assert account.balance("B").locked == share * held(buying, lambda order: order.available * order.price)
    for order_list in (each for account in accounts for each in venue.order_lists(account)):
        account = venue.accounts[order_list.account_id]
        standing = [venue.order(account, "AB", OrderRef(order_id)).status.is_open for order_id in order_list.order_ids]
        assert order_list.is_open is any(standing)
