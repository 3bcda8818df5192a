"""What exchanges do in different ways, each chosen by a symbol's rules or by an order."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from millrace_matching import OrderType, Side
from millrace_simulator.venue import (
    Account,
    AccountSettings,
    Instrument,
    ManualClock,
    OrderRef,
    OrderRequest,
    OrderStatus,
    Venue,
)
from millrace_simulator.venue.errors import RuleBroken
from millrace_simulator.venue.rules import CommissionAsset, SymbolRules

RULES = SymbolRules(
    symbol="KCS-USDT",
    base="KCS",
    quote="USDT",
    tick_size=Decimal("0.001"),
    lot_size=Decimal("0.01"),
    opening_price=Decimal("12.500"),
    commission_asset=CommissionAsset.QUOTE,
    unique_client_order_ids=False,
    refuses_takers=False,
)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@pytest.fixture
def venue(clock: ManualClock) -> Venue:
    """One symbol with an empty book, one account."""
    rich = {"USDT": Decimal(1000), "KCS": Decimal(100)}
    return Venue([RULES], [AccountSettings(api_key="alice", secret="a", balances=rich)], clock=clock)


@pytest.fixture
def alice(venue: Venue) -> Account:
    """The account."""
    return venue.account_by_key("alice")


@pytest.fixture
def kcs(venue: Venue) -> Instrument:
    """The symbol."""
    return venue.instrument("KCS-USDT")


def limit(side: Side, quantity: str, price: str, **more: Any) -> OrderRequest:
    """A limit order."""
    request = OrderRequest(
        symbol="KCS-USDT", side=side, type=OrderType.LIMIT, quantity=Decimal(quantity), price=Decimal(price)
    )
    return replace(request, **more)


def test_commission_in_quote_is_paid_on_top(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """An order to buy holds its commission too; the bought amount arrives whole, and what was held too much is free."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_000)
    placed = venue.place(alice, limit(Side.BUY, "2", "12.5"))
    assert (alice.balance("KCS").free, alice.balance("USDT").locked) == (
        Decimal(101),
        Decimal("12.5") * Decimal("1.001"),
    )
    assert alice.balance("USDT").free == 1000 - Decimal("12.012") - Decimal("12.5125")
    [trade] = placed.trades
    assert (trade.commission, trade.commission_asset, trade.rate) == (Decimal("0.012"), "USDT", Decimal("0.001"))
    venue.cancel(alice, "KCS-USDT", OrderRef(placed.order.order_id))
    assert alice.balance("USDT").free == 1000 - Decimal("12.012")


def test_a_hidden_order_is_not_in_the_book(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """Neither depth nor best prices show it, and a taker trades with it all the same."""
    placed = venue.place(alice, limit(Side.BUY, "1", "12.5", hidden=True))
    assert (kcs.depth().bids, kcs.book_ticker().bid) == ((), 0)
    venue.crowd_submit(kcs, Side.SELL, 100, 12_500)
    assert venue.order(alice, "KCS-USDT", OrderRef(placed.order.order_id)).status is OrderStatus.FILLED


def test_an_order_ends_after_its_lifetime(venue: Venue, alice: Account, clock: ManualClock) -> None:
    """The first step of the market after it cancels the order; one that was canceled before is left alone."""
    ids = [venue.place(alice, limit(Side.BUY, "1", "12", lifetime_s=5)).order.order_id for _ in range(2)]
    venue.cancel(alice, "KCS-USDT", OrderRef(ids[1]))
    clock.reach(clock.now_us() + 4_999_999)
    venue.end_step()
    assert [order.order_id for order in venue.open_orders(alice)] == [ids[0]]
    clock.reach(clock.now_us() + 1)
    venue.end_step()
    assert venue.order(alice, "KCS-USDT", OrderRef(ids[0])).status is OrderStatus.CANCELED
    assert alice.balance("USDT").free == 1000


def test_a_limit_maker_order_that_would_take_may_end_unfilled(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """Where the exchange does not refuse it, it has an id and a state, and holds nothing."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_500)
    placed = venue.place(alice, limit(Side.BUY, "1", "12.5", type=OrderType.LIMIT_MAKER))
    assert (placed.order.status, placed.order.filled) == (OrderStatus.EXPIRED, 0)
    assert alice.balance("USDT").free == 1000


def test_a_client_order_id_may_be_used_again(venue: Venue, alice: Account) -> None:
    """Where the exchange does not compare them, the newest order is found by the id."""
    orders = [venue.place(alice, limit(Side.BUY, "1", "12", client_order_id="mine")).order for _ in range(2)]
    assert venue.order(alice, "KCS-USDT", OrderRef(client_order_id="mine")).order_id == orders[1].order_id


def test_prices_may_be_finer_than_eight_decimals(clock: ManualClock) -> None:
    """The average price that orders are measured by, the amounts and the commission are exact."""
    rules = replace(
        RULES,
        tick_size=Decimal("1e-10"),
        lot_size=Decimal(1),
        opening_price=Decimal("0.0000000120"),
        commission_step=Decimal("1e-14"),
        max_quantity=Decimal(10**12),
    )
    rich = {"USDT": Decimal(1000)}
    venue = Venue([rules], [AccountSettings(api_key="alice", secret="a", balances=rich)], clock=clock)
    alice, kcs = venue.account_by_key("alice"), venue.instrument("KCS-USDT")
    venue.crowd_submit(kcs, Side.SELL, 10**12, 121)
    placed = venue.place(alice, limit(Side.BUY, "1000000001", "0.0000000121"))
    assert placed.order.filled_quote == Decimal("12.1000000121")
    assert placed.order.commission == Decimal("0.01210000001210")
    with pytest.raises(RuleBroken):
        venue.place(alice, limit(Side.BUY, "1000000000", "0.0000001"))
