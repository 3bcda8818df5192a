"""Money and goods are neither made nor lost, whatever accounts do."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.venue import AccountSettings, ManualClock, OrderRef, OrderRequest, SymbolRules, Venue
from millrace_simulator.venue.errors import VenueError
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


ACTIONS = st.lists(st.tuples(st.integers(0, 2), st.one_of(requests(), st.integers(1, 30))), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(ACTIONS, st.sampled_from(CommissionAsset))
def test_nothing_is_made_or_lost(
    actions: list[tuple[int, OrderRequest | int]], commission_asset: CommissionAsset
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
            if isinstance(action, OrderRequest):
                venue.place(accounts[number], action)
            else:
                venue.cancel(accounts[number], "AB", OrderRef(action))
        except VenueError:
            continue
    for asset, begun in (("A", Decimal(150)), ("B", Decimal(1500))):
        balances = [account.balance(asset) for account in accounts]
        assert all(balance.free >= 0 and balance.locked >= 0 for balance in balances)
        assert sum(balance.free + balance.locked for balance in balances) + venue.fees.get(asset, Decimal(0)) == begun
    for account in accounts:
        open_orders = venue.open_orders(account)
        selling = sum(order.remaining for order in open_orders if order.side is Side.SELL)
        assert account.balance("A").locked == selling
        buying = [order for order in open_orders if order.side is Side.BUY and order.type.has_price]
        if len(buying) == sum(order.side is Side.BUY for order in open_orders):
            held = Decimal(1) if commission_asset is CommissionAsset.RECEIVED else Decimal(1) + account.taker_rate
            assert account.balance("B").locked == held * sum(order.remaining * order.price for order in buying)
