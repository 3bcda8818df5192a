from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.venue import (
    Account,
    CancelReplaceMode,
    CancelRestriction,
    ExecutionType,
    Instrument,
    ManualClock,
    OrderRef,
    OrderRequest,
    OrderStatus,
    Placement,
    Venue,
    cancel_replace,
    errors,
)


def _limit(side: Side, quantity: str, price: str, **more: Any) -> OrderRequest:
    return OrderRequest(
        symbol="KCSUSDT", side=side, type=OrderType.LIMIT, quantity=Decimal(quantity), price=Decimal(price), **more
    )


def _market(side: Side, **size: Decimal) -> OrderRequest:
    return OrderRequest(symbol="KCSUSDT", side=side, type=OrderType.MARKET, **size)


def _stop(side: Side, kind: OrderType, quantity: str, stop: str, price: str | None = None) -> OrderRequest:
    return OrderRequest(
        symbol="KCSUSDT",
        side=side,
        type=kind,
        quantity=Decimal(quantity),
        stop_price=Decimal(stop),
        price=Decimal(price) if price else None,
    )


def _owned(account: Account, asset: str) -> tuple[Decimal, Decimal]:
    balance = account.balance(asset)
    return balance.free, balance.locked


def test_a_resting_buy_holds_its_notional_and_a_cancel_frees_it(venue: Venue, alice: Account) -> None:
    """What an open order may spend is locked, and all of it is free again when it ends."""
    placed = venue.place(alice, _limit(Side.BUY, "2", "10"))
    assert placed.order.status is OrderStatus.NEW
    assert _owned(alice, "USDT") == (Decimal(980), Decimal(20))
    venue.cancel(alice, "KCSUSDT", OrderRef(placed.order.order_id))
    assert _owned(alice, "USDT") == (Decimal(1000), Decimal(0))


def test_a_fill_moves_money_goods_and_commission(venue: Venue, alice: Account, bob: Account, kcs: Instrument) -> None:
    """Taker and maker exchange at the maker's price; each pays commission in what it receives."""
    venue.place(bob, _limit(Side.SELL, "10", "12"))
    placed = venue.place(alice, _limit(Side.BUY, "4", "12.5"))
    assert placed.order.status is OrderStatus.FILLED
    assert placed.order.filled_quote == Decimal(48)
    assert [trade.commission for trade in placed.trades] == [Decimal("0.004")]
    assert _owned(alice, "USDT") == (Decimal(952), Decimal(0))
    assert _owned(alice, "KCS") == (Decimal("103.996"), Decimal(0))
    assert _owned(bob, "KCS") == (Decimal(90), Decimal(6))
    assert _owned(bob, "USDT") == (Decimal(1048), Decimal(0))
    assert venue.fees["KCS"] == Decimal("0.004")
    assert kcs.last_price == 12_000


def test_a_market_order_by_quote_amount_spends_what_whole_lots_allow(
    venue: Venue, alice: Account, kcs: Instrument
) -> None:
    """An amount of quote asset buys whole lots, and the order's quantity is what it bought."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_000)
    venue.crowd_submit(kcs, Side.SELL, 5_000, 13_000)
    placed = venue.place(alice, _market(Side.BUY, quote_quantity=Decimal(20)))
    assert placed.order.status is OrderStatus.FILLED
    assert (placed.order.quantity, placed.order.filled_quote) == (Decimal("1.61"), Decimal("19.93"))
    assert placed.order.quote_quantity == Decimal(20)
    assert _owned(alice, "USDT") == (Decimal("980.07"), Decimal(0))


def test_a_market_sell_by_quote_amount_sells_no_more_than_it_takes(
    venue: Venue, alice: Account, kcs: Instrument
) -> None:
    """Selling for an amount sells the lots that bring in at most that amount."""
    venue.crowd_submit(kcs, Side.BUY, 5_000, 12_000)
    placed = venue.place(alice, _market(Side.SELL, quote_quantity=Decimal(25)))
    assert (placed.order.filled, placed.order.filled_quote) == (Decimal("2.08"), Decimal("24.96"))
    assert _owned(alice, "KCS") == (Decimal("97.92"), Decimal(0))


def test_one_kcs_is_a_legal_market_order(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """Buying 1 KCS at the market meets every filter."""
    venue.crowd_submit(kcs, Side.SELL, 1_000, 12_510)
    assert venue.place(alice, _market(Side.BUY, quantity=Decimal(1))).order.status is OrderStatus.FILLED


def test_a_market_order_that_finds_too_little_expires_with_the_rest(
    venue: Venue, alice: Account, kcs: Instrument
) -> None:
    """The part without an offer expires, and nothing stays locked for it."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_500)
    placed = venue.place(alice, _market(Side.BUY, quantity=Decimal(3)))
    assert (placed.order.status, placed.order.filled) == (OrderStatus.EXPIRED, Decimal(1))
    assert _owned(alice, "USDT") == (Decimal("987.5"), Decimal(0))


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (_limit(Side.BUY, "1", "12.0001"), errors.RuleBroken),
        (_limit(Side.BUY, "1.001", "12"), errors.RuleBroken),
        (_limit(Side.BUY, "0.1", "12"), errors.RuleBroken),
        (_limit(Side.BUY, "1", "900"), errors.RuleBroken),
        (_limit(Side.BUY, "90", "12"), errors.InsufficientBalance),
        (_limit(Side.SELL, "101", "12"), errors.InsufficientBalance),
        (_market(Side.BUY, quantity=Decimal(1)), errors.NoLiquidity),
        (_market(Side.BUY), errors.InvalidRequest),
        (_stop(Side.SELL, OrderType.STOP_LOSS, "1", "13"), errors.WouldTrigger),
        (OrderRequest(symbol="NOPE", side=Side.BUY, type=OrderType.MARKET), errors.UnknownSymbol),
    ],
)
def test_what_is_refused_changes_nothing(
    venue: Venue, alice: Account, request_: OrderRequest, error: type[errors.VenueError]
) -> None:
    """A refusal is typed; `check` says the same as `place`, and no order, id or balance has moved."""
    before = alice.balances
    for act in (venue.check, venue.place):
        with pytest.raises(error):
            act(alice, request_)
    assert alice.balances == before
    assert venue.all_orders(alice, "KCSUSDT") == ()
    assert venue.place(alice, _limit(Side.BUY, "1", "10")).order.order_id == 1


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (_limit(Side.BUY, "1", "12.0001"), errors.Rule.PRICE),
        (_limit(Side.BUY, "1.001", "12"), errors.Rule.QUANTITY),
        (_market(Side.BUY, quantity=Decimal(100_001)), errors.Rule.MARKET_QUANTITY),
        (_limit(Side.BUY, "0.1", "12"), errors.Rule.NOTIONAL),
        (_limit(Side.BUY, "1", "900"), errors.Rule.PRICE_RANGE),
    ],
)
def test_a_refusal_names_the_rule_that_was_broken(
    venue: Venue, alice: Account, request_: OrderRequest, rule: errors.Rule
) -> None:
    """Each rule of the symbol is told apart."""
    with pytest.raises(errors.RuleBroken) as broken:
        venue.check(alice, request_)
    assert broken.value.rule is rule


def test_a_limit_maker_order_that_would_take_is_refused(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """Post-only is kept: such an order rests or is refused."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_500)
    request = OrderRequest(
        symbol="KCSUSDT", side=Side.BUY, type=OrderType.LIMIT_MAKER, quantity=Decimal(1), price=Decimal("12.5")
    )
    with pytest.raises(errors.WouldTake):
        venue.place(alice, request)


def test_open_orders_are_limited_in_number(venue: Venue, alice: Account) -> None:
    """One bound counts all that is open, another what waits for a trigger."""
    for _ in range(2):
        venue.place(alice, _stop(Side.SELL, OrderType.STOP_LOSS_LIMIT, "1", "11", "11"))
    with pytest.raises(errors.RuleBroken, match="waiting orders"):
        venue.place(alice, _stop(Side.SELL, OrderType.STOP_LOSS_LIMIT, "1", "11", "11"))
    for _ in range(3):
        venue.place(alice, _limit(Side.BUY, "1", "10"))
    with pytest.raises(errors.RuleBroken, match="open orders"):
        venue.place(alice, _limit(Side.BUY, "1", "10"))


def test_a_client_order_id_is_unique_among_open_orders_only(
    venue: Venue, alice: Account, bob: Account, kcs: Instrument
) -> None:
    """An open order's id is refused; after its fill the same id places another order, and leads to that one."""
    first = venue.place(alice, _limit(Side.BUY, "1", "12", client_order_id="x")).order
    with pytest.raises(errors.DuplicateClientOrderId):
        venue.place(alice, _limit(Side.BUY, "1", "12", client_order_id="x"))
    venue.place(bob, _limit(Side.BUY, "1", "11", client_order_id="x"))
    venue.crowd_submit(kcs, Side.SELL, 100, None)
    second = venue.place(alice, _limit(Side.BUY, "1", "12", client_order_id="x")).order
    assert venue.order(alice, "KCSUSDT", OrderRef(client_order_id="x")).order_id == second.order_id
    assert venue.order(alice, "KCSUSDT", OrderRef(first.order_id)).status is OrderStatus.FILLED


def test_orders_are_found_by_what_fits_and_by_their_owner_alone(venue: Venue, alice: Account, bob: Account) -> None:
    """If both ids are set, both must fit, and no account sees another's order."""
    order = venue.place(alice, _limit(Side.BUY, "1", "12", client_order_id="x")).order
    assert venue.order(alice, "KCSUSDT", OrderRef(order.order_id, "x")) == order
    for account, ref in ((alice, OrderRef(order.order_id, "y")), (bob, OrderRef(order.order_id)), (alice, OrderRef())):
        with pytest.raises(errors.UnknownOrder):
            venue.order(account, "KCSUSDT", ref)


def test_a_final_order_cannot_be_canceled(venue: Venue, alice: Account) -> None:
    """The second cancel of an order is refused."""
    ref = OrderRef(venue.place(alice, _limit(Side.BUY, "1", "12")).order.order_id)
    venue.cancel(alice, "KCSUSDT", ref)
    with pytest.raises(errors.UnknownOrder):
        venue.cancel(alice, "KCSUSDT", ref)


def test_a_restricted_cancel_asks_for_the_state(venue: Venue, alice: Account) -> None:
    """ONLY_PARTIALLY_FILLED leaves a new order alone; ONLY_NEW takes it."""
    ref = OrderRef(venue.place(alice, _limit(Side.BUY, "1", "12")).order.order_id)
    with pytest.raises(errors.CancelRestricted):
        venue.cancel(alice, "KCSUSDT", ref, restriction=CancelRestriction.ONLY_PARTIALLY_FILLED)
    canceled = venue.cancel(alice, "KCSUSDT", ref, restriction=CancelRestriction.ONLY_NEW)
    assert canceled.order.status is OrderStatus.CANCELED


def test_cancel_all_takes_waiting_orders_too(venue: Venue, alice: Account) -> None:
    """Every open order of the account goes; with none left it is refused, as at Binance."""
    venue.place(alice, _limit(Side.BUY, "1", "12"))
    venue.place(alice, _stop(Side.SELL, OrderType.STOP_LOSS, "1", "11"))
    assert len(venue.cancel_all(alice, "KCSUSDT")) == 2
    assert venue.open_orders(alice) == ()
    with pytest.raises(errors.UnknownOrder):
        venue.cancel_all(alice, "KCSUSDT")


@pytest.mark.parametrize(("mode", "placed"), [(CancelReplaceMode.STOP_ON_FAILURE, False), ("ALLOW_FAILURE", True)])
def test_cancel_replace_obeys_its_mode(venue: Venue, alice: Account, mode: str, placed: bool) -> None:
    """When there is nothing to cancel, only ALLOW_FAILURE places the new order."""
    result = cancel_replace(venue, alice, OrderRef(99), _limit(Side.BUY, "1", "12"), CancelReplaceMode(mode))
    assert isinstance(result.canceled, errors.UnknownOrder)
    assert isinstance(result.placed, Placement) is placed


def test_cancel_replace_uses_what_the_cancel_frees(venue: Venue, alice: Account) -> None:
    """The new order is checked after the cancel: the money of the old one pays for it."""
    old = venue.place(alice, _limit(Side.BUY, "80", "12")).order
    new = _limit(Side.BUY, "80", "12.1")
    result = cancel_replace(venue, alice, OrderRef(old.order_id), new, CancelReplaceMode.STOP_ON_FAILURE)
    assert isinstance(result.placed, Placement)
    assert _owned(alice, "USDT") == (Decimal(32), Decimal(968))


def test_a_stop_order_waits_then_works(venue: Venue, alice: Account, kcs: Instrument, received: Any) -> None:
    """A stop-loss-limit order is not working until its stop price trades; then it joins the book."""
    order = venue.place(alice, _stop(Side.SELL, OrderType.STOP_LOSS_LIMIT, "1", "12", "11.9")).order
    assert (order.is_working, order.working_us) == (False, -1)
    venue.crowd_submit(kcs, Side.BUY, 100, 12_000)
    venue.crowd_submit(kcs, Side.SELL, 100, None)
    order = venue.order(alice, "KCSUSDT", OrderRef(order.order_id))
    assert (order.status, order.is_working) == (OrderStatus.NEW, True)
    assert kcs.book_ticker().ask == 11_900
    assert [report.execution_type for report in received.reports] == [ExecutionType.NEW, ExecutionType.NEW]


def test_a_triggered_market_buy_spends_no_more_than_was_held(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """A stop-loss buy has a margin held beyond its stop price; dearer offers are left, and the rest is freed."""
    venue.place(alice, _stop(Side.BUY, OrderType.STOP_LOSS, "10", "13"))
    assert _owned(alice, "USDT") == (Decimal("863.5"), Decimal("136.5"))
    venue.crowd_submit(kcs, Side.SELL, 100, 13_000)
    venue.crowd_submit(kcs, Side.SELL, 5_000, 20_000)
    venue.crowd_submit(kcs, Side.BUY, 100, 13_000)
    (order,) = venue.all_orders(alice, "KCSUSDT")
    assert (order.status, order.filled) == (OrderStatus.EXPIRED, Decimal("6.82"))
    assert _owned(alice, "USDT") == (Decimal(1000) - Decimal("136.4"), Decimal(0))


def test_reports_follow_an_order_s_life(venue: Venue, alice: Account, kcs: Instrument, received: Any) -> None:
    """NEW, TRADE, CANCELED, each with the order as it then stood, the cancel under its own id."""
    order = venue.place(alice, _limit(Side.BUY, "2", "12", client_order_id="x")).order
    venue.crowd_submit(kcs, Side.SELL, 100, 12_000)
    venue.cancel(alice, "KCSUSDT", OrderRef(order.order_id), cancel_client_order_id="c")
    new, trade, canceled = received.reports
    assert [new.order.status, trade.order.status, canceled.order.status] == ["NEW", "PARTIALLY_FILLED", "CANCELED"]
    assert trade.trade.is_maker
    assert trade.trade.trade_id == received.trades[0].trade_id
    assert (canceled.client_order_id, canceled.original_client_order_id) == ("c", "x")
    assert [report.execution_id for report in received.reports] == [1, 2, 3]


def test_fill_or_kill_reports_new_then_expired(venue: Venue, alice: Account, received: Any) -> None:
    """A FOK order that finds nothing is accepted and expires, unfilled."""
    placed = venue.place(alice, _limit(Side.BUY, "1", "12", time_in_force=TimeInForce.FOK))
    assert (placed.order.status, placed.trades) == (OrderStatus.EXPIRED, ())
    assert [report.execution_type for report in received.reports] == ["NEW", "EXPIRED"]
    assert _owned(alice, "USDT") == (Decimal(1000), Decimal(0))


def test_a_prevented_self_trade_ends_as_binance_says(venue: Venue, alice: Account, received: Any) -> None:
    """The prevented order is EXPIRED_IN_MATCH, reported as TRADE_PREVENTION; no trade is printed."""
    venue.place(alice, _limit(Side.SELL, "1", "12"))
    mode = SelfTradePrevention.EXPIRE_TAKER
    placed = venue.place(alice, _limit(Side.BUY, "1", "12", self_trade_prevention=mode))
    assert placed.order.status is OrderStatus.EXPIRED_IN_MATCH
    assert received.reports[-1].execution_type is ExecutionType.TRADE_PREVENTION
    assert received.trades == []


def test_a_self_trade_is_reported_for_both_sides(venue: Venue, alice: Account, received: Any) -> None:
    """Where it is not prevented, taker and maker each get their report of the one trade."""
    venue.place(alice, _limit(Side.SELL, "1", "12"))
    venue.place(alice, _limit(Side.BUY, "1", "12", self_trade_prevention=SelfTradePrevention.NONE))
    taker, maker = received.reports[-2:]
    assert (taker.trade.is_maker, maker.trade.is_maker) == (False, True)
    assert taker.trade.trade_id == maker.trade.trade_id
    assert len(received.trades) == 1


def test_balances_are_reported_once_an_action(venue: Venue, alice: Account, kcs: Instrument, received: Any) -> None:
    """An action that fills several times tells each changed asset once, as it ended."""
    venue.crowd_submit(kcs, Side.SELL, 100, 12_000)
    venue.crowd_submit(kcs, Side.SELL, 100, 12_100)
    venue.place(alice, _limit(Side.BUY, "2", "12.1"))
    (change,) = received.balances
    assert change.account_id == alice.account_id
    assert change.balances == (alice.balance("KCS"), alice.balance("USDT"))


def test_deposits_and_withdrawals_are_reported(venue: Venue, alice: Account, received: Any) -> None:
    """A deposit says what was added; more than is free cannot be withdrawn."""
    venue.deposit(alice, "BTC", Decimal(2))
    with pytest.raises(errors.InsufficientBalance):
        venue.deposit(alice, "BTC", Decimal(-3))
    (change,) = received.balances
    assert (change.asset, change.delta, change.balances[0].free) == ("BTC", Decimal(2), Decimal(2))


def test_book_changes_join_and_rebuild_the_book(venue: Venue, alice: Account, kcs: Instrument, received: Any) -> None:
    """Each change begins where the last ended, and applying all of them yields the book."""
    for place in range(10):
        venue.crowd_submit(kcs, Side.SELL, 100, 12_500 + place)
        venue.crowd_submit(kcs, Side.BUY, 100, 12_400 - place)
    venue.place(alice, _limit(Side.BUY, "3.5", "12.503"))
    book: dict[tuple[Side, int], int] = {}
    last = 0
    for change in received.books:
        assert change.first_update_id == last + 1
        assert len(change.changes) == change.last_update_id - last
        last = change.last_update_id
        book |= {(side, price): quantity for side, price, quantity in change.changes}
    depth = kcs.depth()
    assert last == depth.last_update_id
    assert {key: left for key, left in book.items() if left} == {
        **{(Side.BUY, price): quantity for price, quantity in depth.bids},
        **{(Side.SELL, price): quantity for price, quantity in depth.asks},
    }


def test_every_fill_is_printed_with_consecutive_ids(
    venue: Venue, alice: Account, kcs: Instrument, received: Any
) -> None:
    """The public tape holds each fill once; one taker's fills at one price make one aggregate."""
    for price in (12_000, 12_000, 12_100):
        venue.crowd_submit(kcs, Side.SELL, 100, price)
    placed = venue.place(alice, _limit(Side.BUY, "3", "12.1"))
    ids = [trade.trade_id for trade in received.trades]
    assert ids == [trade.trade_id for trade in placed.trades]
    assert ids == list(range(ids[0], ids[0] + 3))
    assert [(aggregate.price, aggregate.quantity) for aggregate in received.aggregates] == [
        (12_000, 200),
        (12_100, 100),
    ]
    assert kcs.tape.recent(2) == received.trades[-2:]


def test_queries_page_by_id_and_time(venue: Venue, clock: ManualClock, alice: Account, kcs: Instrument) -> None:
    """From an id or a time on the oldest come first; without either, the newest."""
    start_us = clock.now_us()
    for _ in range(4):
        clock.reach(clock.now_us() + 1_000)
        venue.crowd_submit(kcs, Side.SELL, 100, 12_000)
        venue.place(alice, _limit(Side.BUY, "1", "12"))
    orders = venue.all_orders(alice, "KCSUSDT")
    trades = venue.own_trades(alice, "KCSUSDT")
    assert venue.all_orders(alice, "KCSUSDT", limit=2) == orders[2:]
    assert venue.all_orders(alice, "KCSUSDT", from_order_id=orders[1].order_id, limit=2) == orders[1:3]
    assert venue.all_orders(alice, "KCSUSDT", start_us=start_us, end_us=start_us + 2_000) == orders[:2]
    assert venue.own_trades(alice, "KCSUSDT", order_id=orders[2].order_id) == trades[2:3]
    assert venue.own_trades(alice, "KCSUSDT", from_trade_id=trades[1].trade_id, limit=1) == trades[1:2]


def test_a_halted_symbol_takes_no_orders_but_cancels(venue: Venue, alice: Account, kcs: Instrument) -> None:
    """While a symbol does not trade, nothing new is taken and everything can be taken back."""
    order = venue.place(alice, _limit(Side.BUY, "1", "12")).order
    kcs.trading = False
    with pytest.raises(errors.SymbolHalted):
        venue.place(alice, _limit(Side.BUY, "1", "12"))
    venue.cancel(alice, "KCSUSDT", OrderRef(order.order_id))


def test_a_listener_that_left_hears_nothing(venue: Venue, received: Any) -> None:
    """Steps are reported to listeners until they are removed."""
    venue.end_step()
    venue.unlisten(received)
    venue.end_step()
    assert len(received.steps) == 1


def test_an_unknown_key_is_refused(venue: Venue) -> None:
    """Only the accounts' own keys lead to accounts."""
    with pytest.raises(errors.UnknownApiKey):
        venue.account_by_key("mallory")


@pytest.mark.parametrize("size", [{"quantity": Decimal(1)}, {"quote_quantity": Decimal("12.501")}])
def test_a_market_buy_pays_for_what_lies_beyond_its_own_order(
    venue: Venue, alice: Account, bob: Account, size: dict[str, Decimal]
) -> None:
    """Self-trade prevention expires the account's own offer, and the buy is filled at the next price."""
    own = venue.place(alice, _limit(Side.SELL, "1", "12.500")).order
    venue.place(bob, _limit(Side.SELL, "5", "12.501"))
    bought = venue.place(alice, _market(Side.BUY, **size)).order
    assert (bought.status, bought.filled, bought.filled_quote) == (OrderStatus.FILLED, 1, Decimal("12.501"))
    assert venue.order(alice, "KCSUSDT", OrderRef(own.order_id)).status is OrderStatus.EXPIRED_IN_MATCH


def test_a_market_buy_that_finds_only_its_own_order_ends_it(venue: Venue, alice: Account) -> None:
    """Where nobody else offers anything, both expire, as they do on Binance, and nothing stays locked."""
    own = venue.place(alice, _limit(Side.SELL, "1", "12.500")).order
    bought = venue.place(alice, _market(Side.BUY, quantity=Decimal(1))).order
    assert (bought.status, bought.filled) == (OrderStatus.EXPIRED, 0)
    assert venue.order(alice, "KCSUSDT", OrderRef(own.order_id)).status is OrderStatus.EXPIRED_IN_MATCH
    assert _owned(alice, "USDT") == (Decimal(1000), Decimal(0))
