from itertools import count

import pytest

from millrace_matching import (
    Accepted,
    Canceled,
    Completed,
    Engine,
    Event,
    Expired,
    ExpiryReason,
    LevelChanged,
    NewOrder,
    OrderType,
    Prevented,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Traded,
    Triggered,
)
from millrace_matching.errors import DuplicateOrder, InvalidOrder, UnknownOrder, WouldTake, WouldTrigger

_ids = count(1000)


def _limit(side: Side, quantity: int, price: int, **more: object) -> NewOrder:
    more = {"order_id": next(_ids), **more}
    return NewOrder(side=side, quantity=quantity, price=price, **more)  # type: ignore[arg-type]


def _book(*orders: tuple[Side, int, int]) -> Engine:
    engine = Engine(last_price=100)
    for order_id, (side, quantity, price) in enumerate(orders, 1):
        engine.submit(NewOrder(order_id, side, quantity=quantity, price=price))
    return engine


def _fills(events: list[Event]) -> list[tuple[int, int, int]]:
    return [(event.maker_id, event.price, event.quantity) for event in events if isinstance(event, Traded)]


def test_a_taker_gets_the_best_price_then_the_earliest_order() -> None:
    """Makers trade by price, then by time, each at its own price; the rest of the taker stands."""
    engine = _book((Side.SELL, 5, 102), (Side.SELL, 3, 101), (Side.SELL, 4, 101))
    events = engine.submit(NewOrder(9, Side.BUY, quantity=20, price=101))
    assert _fills(events) == [(2, 101, 3), (3, 101, 4)]
    assert events[-1] == LevelChanged(5, Side.BUY, 101, 13)
    assert engine.levels(Side.SELL) == [(102, 5)]


def test_events_are_complete_and_in_order() -> None:
    """Accepted, the fills of a level, the level, then the end of the taker."""
    engine = _book((Side.SELL, 5, 101))
    events = engine.submit(NewOrder(9, Side.BUY, OrderType.MARKET, quantity=2))
    assert events == [
        Accepted(9, waits=False),
        Traded(1, 101, 2, 1, 9, Side.BUY, 3),
        LevelChanged(2, Side.SELL, 101, 3),
        Completed(9),
    ]


def test_a_market_order_expires_with_what_nobody_offers() -> None:
    """What a market order cannot get expires; it never rests."""
    engine = _book((Side.SELL, 5, 101))
    events = engine.submit(NewOrder(9, Side.BUY, OrderType.MARKET, quantity=8))
    assert _fills(events) == [(1, 101, 5)]
    assert events[-1] == Expired(9, ExpiryReason.UNFILLED)
    assert 9 not in engine


def test_a_budget_buys_whole_lots_only() -> None:
    """A market order sized by amount spends as much as whole lots allow, and is then complete."""
    engine = _book((Side.SELL, 2, 100), (Side.SELL, 5, 110))
    events = engine.submit(NewOrder(9, Side.BUY, OrderType.MARKET, budget=450))
    assert _fills(events) == [(1, 100, 2), (2, 110, 2)]
    assert events[-1] == Completed(9)


def test_a_budget_below_one_lot_expires() -> None:
    """An amount that buys nothing ends without a trade."""
    events = _book((Side.SELL, 2, 100)).submit(NewOrder(9, Side.BUY, OrderType.MARKET, budget=99))
    assert events == [Accepted(9, waits=False), Expired(9, ExpiryReason.UNFILLED)]


def test_immediate_or_cancel_keeps_nothing() -> None:
    """What an IOC order does not trade at once expires."""
    engine = _book((Side.SELL, 2, 100))
    events = engine.submit(_limit(Side.BUY, 5, 100, time_in_force=TimeInForce.IOC))
    assert _fills(events) == [(1, 100, 2)]
    assert isinstance(events[-1], Expired)
    assert engine.levels(Side.BUY) == []


@pytest.mark.parametrize(("quantity", "price", "filled"), [(7, 101, True), (8, 101, False), (7, 100, False)])
def test_fill_or_kill_is_all_or_nothing(quantity: int, price: int, filled: bool) -> None:
    """A FOK order trades whole, or leaves the book as it was."""
    engine = _book((Side.SELL, 2, 100), (Side.SELL, 5, 101))
    before = engine.levels(Side.SELL)
    events = engine.submit(_limit(Side.BUY, quantity, price, time_in_force=TimeInForce.FOK))
    assert sum(quantity for _, _, quantity in _fills(events)) == (quantity if filled else 0)
    assert (engine.levels(Side.SELL) == before) is not filled


def test_a_limit_maker_order_never_takes() -> None:
    """A limit-maker order that would trade is refused and changes nothing; inside the spread it rests."""
    engine = _book((Side.SELL, 2, 105), (Side.BUY, 2, 100))
    with pytest.raises(WouldTake):
        engine.submit(NewOrder(9, Side.BUY, OrderType.LIMIT_MAKER, quantity=1, price=105))
    assert engine.last_update_id == 2
    engine.submit(NewOrder(9, Side.BUY, OrderType.LIMIT_MAKER, quantity=1, price=104))
    assert engine.remaining(9) == 1


@pytest.mark.parametrize(
    ("mode", "maker_stays", "taker_stays", "traded"),
    [
        (SelfTradePrevention.NONE, False, True, [(1, 100, 3), (2, 100, 4)]),
        (SelfTradePrevention.EXPIRE_TAKER, True, False, [(1, 100, 3)]),
        (SelfTradePrevention.EXPIRE_MAKER, False, True, [(1, 100, 3)]),
        (SelfTradePrevention.EXPIRE_BOTH, False, False, [(1, 100, 3)]),
    ],
)
def test_self_trades_are_prevented_as_the_taker_asks(
    mode: SelfTradePrevention, maker_stays: bool, taker_stays: bool, traded: list[tuple[int, int, int]]
) -> None:
    """Orders before the own one trade; then the taker's mode decides who ends."""
    engine = _book((Side.SELL, 3, 100))
    engine.submit(NewOrder(2, Side.SELL, quantity=4, price=100, owner=7))
    events = engine.submit(NewOrder(9, Side.BUY, quantity=10, price=100, owner=7, self_trade_prevention=mode))
    assert _fills(events) == traded
    assert (2 in engine, 9 in engine) == (maker_stays, taker_stays)


@pytest.mark.parametrize("mode", list(SelfTradePrevention))
def test_an_order_that_is_filled_prevents_nothing_behind_it(mode: SelfTradePrevention) -> None:
    """An own order of the same price that the filled taker never reached stays, and the taker is complete."""
    engine = _book((Side.BUY, 1, 95))
    engine.submit(NewOrder(2, Side.BUY, quantity=1, price=95, owner=7))
    events = engine.submit(NewOrder(9, Side.SELL, quantity=1, price=95, owner=7, self_trade_prevention=mode))
    assert _fills(events) == [(1, 95, 1)]
    assert events[-1] == Completed(9)
    assert engine.levels(Side.BUY) == [(95, 1)]


def test_fill_or_kill_does_not_count_own_orders() -> None:
    """A FOK order that could be whole only against its owner's orders is not filled."""
    engine = _book((Side.SELL, 3, 100))
    engine.submit(NewOrder(2, Side.SELL, quantity=4, price=100, owner=7))
    mode = SelfTradePrevention.EXPIRE_MAKER
    order = _limit(Side.BUY, 7, 100, owner=7, self_trade_prevention=mode, time_in_force=TimeInForce.FOK)
    assert _fills(engine.submit(order)) == []
    assert 2 in engine


def test_a_stop_order_works_from_the_trade_that_reaches_it() -> None:
    """A stop-loss-limit order waits unseen, then joins the book as a limit order."""
    engine = _book((Side.BUY, 1, 95), (Side.BUY, 5, 94))
    stop = NewOrder(9, Side.SELL, OrderType.STOP_LOSS_LIMIT, quantity=2, price=94, trigger_price=95)
    assert engine.submit(stop) == [Accepted(9, waits=True)]
    assert engine.levels(Side.SELL) == []
    events = engine.submit(NewOrder(10, Side.SELL, OrderType.MARKET, quantity=1))
    assert Triggered(9) in events
    assert _fills(events) == [(1, 95, 1), (2, 94, 2)]


def test_triggers_cascade() -> None:
    """A triggered order's own trades trigger further orders within the same call."""
    engine = _book((Side.BUY, 1, 95), (Side.BUY, 1, 90), (Side.BUY, 1, 85))
    engine.submit(NewOrder(8, Side.SELL, OrderType.STOP_LOSS, quantity=1, trigger_price=95))
    engine.submit(NewOrder(9, Side.SELL, OrderType.STOP_LOSS, quantity=1, trigger_price=90))
    events = engine.submit(NewOrder(10, Side.SELL, OrderType.MARKET, quantity=1))
    assert [event.order_id for event in events if isinstance(event, Triggered)] == [8, 9]
    assert _fills(events) == [(1, 95, 1), (2, 90, 1), (3, 85, 1)]


def test_a_trigger_already_reached_is_refused() -> None:
    """A stop order whose trigger the last price has passed is not taken in."""
    with pytest.raises(WouldTrigger):
        _book().submit(NewOrder(9, Side.SELL, OrderType.STOP_LOSS, quantity=1, trigger_price=100))


def test_canceling_takes_back_resting_and_waiting_orders() -> None:
    """A canceled order is gone at once; it cannot be canceled twice."""
    engine = _book((Side.BUY, 4, 95))
    engine.submit(NewOrder(9, Side.SELL, OrderType.STOP_LOSS, quantity=2, trigger_price=90))
    assert engine.cancel(1) == [Canceled(1, 4), LevelChanged(2, Side.BUY, 95, 0)]
    assert engine.cancel(9) == [Canceled(9, 2)]
    with pytest.raises(UnknownOrder):
        engine.cancel(1)


def test_malformed_and_repeated_orders_are_refused() -> None:
    """An order that contradicts itself, or an id that is in the book, changes nothing."""
    engine = _book((Side.BUY, 4, 95))
    with pytest.raises(DuplicateOrder):
        engine.submit(NewOrder(1, Side.BUY, quantity=1, price=1))
    with pytest.raises(InvalidOrder):
        engine.submit(NewOrder(2, Side.BUY, quantity=1))
    assert engine.last_update_id == 1


def test_cost_is_what_a_market_order_then_pays() -> None:
    """The preview of a market order is exact, and short where the book is."""
    engine = _book((Side.SELL, 2, 100), (Side.SELL, 5, 110))
    assert engine.cost(Side.BUY, 4) == (4, 420)
    assert engine.cost(Side.BUY, 40) == (7, 750)
    assert engine.cost(Side.SELL, 1) == (0, 0)


def test_within_is_what_a_budget_then_buys() -> None:
    """The preview of a market order sized by amount is exact, and short where the book is."""
    engine = _book((Side.SELL, 2, 100), (Side.SELL, 5, 110))
    assert engine.within(Side.BUY, 450) == (4, 420)
    assert engine.within(Side.BUY, 99) == (0, 0)
    assert engine.within(Side.BUY, 10_000) == (7, 750)


def test_a_preview_does_not_count_the_orders_of_a_skipped_owner() -> None:
    """What would be prevented is not found, and the next price is; others at the same price are."""
    engine = _book((Side.SELL, 2, 100), (Side.SELL, 5, 110))
    engine.submit(NewOrder(9, Side.SELL, quantity=3, price=100, owner=7))
    assert engine.cost(Side.BUY, 4, skipped_owner=7) == (4, 420)
    assert engine.within(Side.BUY, 450, skipped_owner=7) == (4, 420)
    assert engine.cost(Side.BUY, 4) == (4, 400)


def test_a_hidden_order_trades_unseen() -> None:
    """It is in no level and no change of one, but fills takers by price and time like any other."""
    engine = _book((Side.SELL, 5, 101))
    assert engine.submit(_limit(Side.SELL, 4, 101, order_id=10, hidden=True)) == [Accepted(10, waits=False)]
    engine.submit(_limit(Side.SELL, 3, 100, order_id=11, hidden=True))
    assert engine.levels(Side.SELL) == [(101, 5)]
    assert engine.cost(Side.BUY, 12) == (12, 3 * 100 + 9 * 101)
    events = engine.submit(_limit(Side.BUY, 10, 101, order_id=12))
    assert _fills(events) == [(11, 100, 3), (1, 101, 5), (10, 101, 2)]
    assert [(each.price, each.quantity) for each in events if isinstance(each, LevelChanged)] == [(101, 0)]
    assert engine.cancel(10) == [Canceled(10, 2)]
    assert engine.levels(Side.SELL) == []


@pytest.mark.parametrize("mode", [SelfTradePrevention.DECREMENT, SelfTradePrevention.TRANSFER])
def test_both_orders_of_an_owner_shrink_by_what_they_would_have_traded(mode: SelfTradePrevention) -> None:
    """The smaller expires and the larger goes on: here the taker, to the next order and then into the book."""
    engine = Engine(last_price=100)
    engine.submit(NewOrder(1, Side.SELL, quantity=3, price=101, owner=7))
    engine.submit(NewOrder(2, Side.SELL, quantity=4, price=101))
    events = engine.submit(NewOrder(9, Side.BUY, quantity=10, price=101, owner=7, self_trade_prevention=mode))
    assert events[1:3] == [Prevented(9, 1, 101, 3, 3, False, True), Expired(1, ExpiryReason.SELF_TRADE)]
    assert (_fills(events), engine.remaining(9)) == ([(2, 101, 4)], 3)


def test_a_smaller_taker_expires_and_leaves_the_rest_of_the_maker() -> None:
    """The maker keeps its place, with what the taker did not want."""
    engine = Engine(last_price=100)
    engine.submit(NewOrder(1, Side.SELL, quantity=6, price=101, owner=7))
    mode = SelfTradePrevention.DECREMENT
    events = engine.submit(NewOrder(9, Side.BUY, quantity=2, price=101, owner=7, self_trade_prevention=mode))
    assert events[1:] == [
        Prevented(9, 1, 101, 2, 2, True, False),
        LevelChanged(2, Side.SELL, 101, 4),
        Expired(9, ExpiryReason.SELF_TRADE),
    ]


def test_a_reduced_order_keeps_its_place() -> None:
    """It still trades before the order that came after it, only less; a waiting order is reduced too."""
    engine = _book((Side.SELL, 5, 101), (Side.SELL, 5, 101))
    assert engine.reduce(1, 2) == [LevelChanged(3, Side.SELL, 101, 7)]
    engine.submit(NewOrder(3, Side.BUY, OrderType.STOP_LOSS, quantity=9, trigger_price=101))
    assert engine.reduce(3, 1) == []
    assert _fills(engine.submit(NewOrder(9, Side.BUY, quantity=3, price=101))) == [
        (1, 101, 2),
        (2, 101, 1),
        (2, 101, 1),
    ]
    with pytest.raises(UnknownOrder):
        engine.reduce(1, 1)


def test_an_order_that_trades_ends_its_partner() -> None:
    """Before the fill, and once; the partner that waited can no longer be triggered, even by the same action."""
    engine = _book((Side.SELL, 5, 80), (Side.SELL, 5, 110), (Side.BUY, 9, 50))
    engine.submit(NewOrder(4, Side.SELL, OrderType.STOP_LOSS, quantity=5, trigger_price=90))
    engine.pair(2, 4)
    events = engine.submit(NewOrder(9, Side.BUY, quantity=6, price=110))
    assert _fills(events) == [(1, 80, 5), (2, 110, 1)]
    assert events.count(Expired(4, ExpiryReason.PARTNER)) == 1
    assert 4 not in engine


def test_a_triggered_order_ends_its_partner_before_it_trades() -> None:
    """The partner leaves the book; an order that is canceled leaves its partner alone."""
    engine = _book((Side.SELL, 5, 110), (Side.BUY, 9, 90))
    engine.submit(NewOrder(3, Side.SELL, OrderType.STOP_LOSS, quantity=5, trigger_price=95))
    engine.pair(1, 3)
    events = engine.submit(NewOrder(9, Side.SELL, quantity=1, price=90))
    ended = events.index(Expired(1, ExpiryReason.PARTNER))
    assert events[ended + 1 : ended + 3] == [LevelChanged(4, Side.SELL, 110, 0), Triggered(3)]
    engine = _book((Side.SELL, 5, 110), (Side.SELL, 5, 111))
    engine.pair(1, 2)
    engine.cancel(1)
    assert engine.remaining(2) == 5
