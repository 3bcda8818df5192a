"""The engine against a model that is slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace_matching import (
    Canceled,
    Engine,
    Event,
    Expired,
    LevelChanged,
    NewOrder,
    OrderType,
    Prevented,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Traded,
)
from millrace_matching.errors import UnknownOrder, WouldTake, WouldTrigger


@dataclass
class _Model:
    """Orders in one flat list in order of arrival; everything is found by looking at all of them."""

    orders: list[tuple[NewOrder, int]] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)

    def facing(self, order: NewOrder) -> list[tuple[NewOrder, int]]:
        """The orders that this one could trade with, the first first."""
        sign = 1 if order.side is Side.BUY else -1
        fitting = [
            (other, left)
            for other, left in self.orders
            if other.side is not order.side and (order.price is None or (other.price or 0) * sign <= order.price * sign)
        ]
        return sorted(fitting, key=lambda entry: (entry[0].price or 0) * sign)  # stable: time stays second

    def submit(self, order: NewOrder) -> None:
        """Trade as far as it goes; let the rest stand if it may."""
        facing, left, prevented = self.facing(order), order.quantity or 0, False
        plan: list[tuple[NewOrder, int]] = []
        expired: list[int] = []
        lost: dict[int, int] = {}
        meets_own = False
        for maker, resting in facing:
            if left == 0 or prevented:
                break
            mode = order.self_trade_prevention
            if order.owner and order.owner == maker.owner and mode is not SelfTradePrevention.NONE:
                meets_own = True
                if mode.decrements:
                    lost[maker.order_id] = min(left, resting)
                    left -= lost[maker.order_id]
                    prevented = left == 0
                    continue
                if mode is not SelfTradePrevention.EXPIRE_TAKER:
                    expired.append(maker.order_id)
                prevented = mode is not SelfTradePrevention.EXPIRE_MAKER
                continue
            plan.append((maker, min(left, resting)))
            left -= plan[-1][1]
        if order.time_in_force is TimeInForce.FOK and (left or (meets_own and mode.decrements)):
            return
        gone = lost | {maker.order_id: quantity for maker, quantity in plan}
        self.trades += [(maker.order_id, order.order_id, maker.price or 0, quantity) for maker, quantity in plan]
        self.orders = [
            (maker, resting - gone.get(maker.order_id, 0))
            for maker, resting in self.orders
            if maker.order_id not in expired and resting > gone.get(maker.order_id, 0)
        ]
        if left and not prevented and order.price is not None and order.time_in_force is TimeInForce.GTC:
            self.orders.append((order, left))

    def levels(self, side: Side) -> dict[int, int]:
        """What rests on a side and is shown, by price."""
        totals: dict[int, int] = {}
        for order, left in self.orders:
            if order.side is side and order.price is not None and not order.hidden:
                totals[order.price] = totals.get(order.price, 0) + left
        return totals


sides = st.sampled_from(Side)
modes = st.sampled_from(SelfTradePrevention)
quantities, prices, owners = st.integers(1, 12), st.integers(95, 105), st.integers(0, 2)


@st.composite
def _immediate(draw: st.DrawFn, order_id: int) -> NewOrder:
    kind = draw(st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET]))
    in_force = draw(st.sampled_from(TimeInForce)) if kind is OrderType.LIMIT else TimeInForce.GTC
    return NewOrder(
        order_id,
        draw(sides),
        kind,
        quantity=draw(quantities),
        price=None if kind is OrderType.MARKET else draw(prices),
        time_in_force=in_force,
        owner=draw(owners),
        self_trade_prevention=draw(modes),
        hidden=draw(st.booleans()),
    )


@st.composite
def _waiting(draw: st.DrawFn, order_id: int) -> NewOrder:
    kind = draw(
        st.sampled_from(
            [OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT]
        )
    )
    return NewOrder(
        order_id,
        draw(sides),
        kind,
        quantity=draw(quantities),
        price=draw(prices) if kind.has_price else None,
        trigger_price=draw(prices),
        owner=draw(owners),
        self_trade_prevention=draw(modes),
        hidden=draw(st.booleans()),
    )


def _apply(levels: dict[Side, dict[int, int]], events: list[Event]) -> None:
    for event in events:
        if isinstance(event, LevelChanged):
            if event.quantity:
                levels[event.side][event.price] = event.quantity
            else:
                del levels[event.side][event.price]


def _assert_sound(engine: Engine, levels: dict[Side, dict[int, int]]) -> None:
    bids, asks = engine.levels(Side.BUY), engine.levels(Side.SELL)
    assert dict(bids) == levels[Side.BUY]
    assert dict(asks) == levels[Side.SELL]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert not bids or not asks or bids[0][0] < asks[0][0]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_engine_does_what_the_model_does(data: st.DataObject) -> None:
    """Trades (who, with whom, at what price, how much, in what order) and levels are the model's, always."""
    engine, model = Engine(), _Model()
    trades: list[tuple[int, int, int, int]] = []
    for order_id in range(1, data.draw(st.integers(1, 25)) + 1):
        if order_id > 1 and data.draw(st.integers(0, 4)) == 0:
            victim = data.draw(st.integers(1, order_id - 1))
            known = any(order.order_id == victim for order, _ in model.orders)
            model.orders = [entry for entry in model.orders if entry[0].order_id != victim]
            try:
                engine.cancel(victim)
                assert known
            except UnknownOrder:
                assert not known
            continue
        order = data.draw(_immediate(order_id))
        if order.type is OrderType.LIMIT_MAKER and model.facing(order):
            try:
                engine.submit(order)
                raise AssertionError("it took")
            except WouldTake:
                continue
        events = engine.submit(order)
        trades += [(e.maker_id, e.taker_id, e.price, e.quantity) for e in events if isinstance(e, Traded)]
        model.submit(order)
        assert trades == model.trades
        assert dict(engine.levels(Side.BUY)) == model.levels(Side.BUY)
        assert dict(engine.levels(Side.SELL)) == model.levels(Side.SELL)


@dataclass
class _Ledger:
    """Orders and levels rebuilt from the events alone."""

    placed: dict[int, int] = field(default_factory=dict)
    traded: dict[int, int] = field(default_factory=dict)
    prevented: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    levels: dict[Side, dict[int, int]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})
    update_id: int = 0
    trade_id: int = 0

    def hear(self, event: Event) -> None:
        """Count one event, and check that ids have no gaps and final orders stay final."""
        if isinstance(event, Traded):
            self.trade_id += 1
            assert event.trade_id == self.trade_id
            for order_id in (event.maker_id, event.taker_id):
                assert order_id not in self.ended
                self.traded[order_id] = self.traded.get(order_id, 0) + event.quantity
        elif isinstance(event, LevelChanged):
            self.update_id += 1
            assert event.update_id == self.update_id
            _apply(self.levels, [event])
        elif isinstance(event, Prevented):
            for order_id, quantity in ((event.taker_id, event.taker_quantity), (event.maker_id, event.maker_quantity)):
                self.prevented[order_id] = self.prevented.get(order_id, 0) + quantity
        elif isinstance(event, Expired | Canceled):
            self.ended.add(event.order_id)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_nothing_is_lost_and_the_book_is_never_crossed(data: st.DataObject) -> None:
    """With waiting orders too: events alone rebuild the book, ids have no gaps, and quantities add up."""
    engine, ledger = Engine(last_price=100), _Ledger()
    for order_id in range(1, data.draw(st.integers(1, 25)) + 1):
        order = data.draw(st.one_of(_immediate(order_id), _waiting(order_id)))
        try:
            events = engine.submit(order)
        except (WouldTake, WouldTrigger):
            continue
        ledger.placed[order_id] = order.quantity or 0
        for event in events:
            ledger.hear(event)
        _assert_sound(engine, ledger.levels)
    for order_id, quantity in ledger.placed.items():
        left = quantity - ledger.traded.get(order_id, 0) - ledger.prevented.get(order_id, 0)
        assert left >= 0
        if engine.remaining(order_id):
            assert engine.remaining(order_id) == left
        elif order_id not in engine and order_id not in ledger.ended:
            assert left == 0
