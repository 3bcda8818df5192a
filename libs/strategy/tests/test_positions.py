"""Fills and positions: from order reports, from own trades, over restarts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace_core.instrument import Instrument
from millrace_core.market import Fee, Trade
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderFee, OrderRecord
from millrace_core.position import Fee as PositionFee
from millrace_core.position import Fill, Position, after
from millrace_strategy import Context, FillEvent, SavedRecordBroken, SavedStrategy, Strategy, SubscribedStream
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = ExchangeId("binance"), Symbol("KCS/USDT")
SPOT = Instrument.of(SYMBOL)
OWN_TRADES = [SubscribedStream(EXCHANGE, SYMBOL, Action("watchMyTrades"))]
LATER_MS = 1_763_800_100_000


class _Trader(Strategy):
    """Notes its fills."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.fills: list[FillEvent] = []
        self.at_start = Position()

    def on_start(self, event: object) -> None:
        self.at_start = self.positions[EXCHANGE, SYMBOL].position

    def on_fill(self, event: FillEvent) -> None:
        self.fills.append(event)


def started(
    saved: SavedStrategy | None = None, *, by_trades: bool, orders: list[OrderRecord] | None = None
) -> StrategyHarness:
    harness = StrategyHarness(_Trader, streams=OWN_TRADES if by_trades else [], saved=saved)
    harness.start(orders or [])
    return harness


def placed(harness: StrategyHarness, side: str, amount: object, price: object) -> object:
    harness.strategy.trader.create_order(
        exchange=EXCHANGE, symbol=SYMBOL, side=side, type="limit", amount=amount, price=price
    )
    return harness.accept(harness.requests[-1])


def record(order: Order) -> OrderRecord:
    return OrderRecord(order=order, exchange=EXCHANGE, updated=1, order_source="_Trader", request_id="a" * 32)


def order(filled: str, cost: str, status: str = "open") -> Order:
    return Order(
        id="7", symbol=SYMBOL, side="buy", amount=Decimal(10), price=Decimal(10), status=status,
        filled=Decimal(filled), cost=Decimal(cost), timestamp=1,
    )  # fmt: skip


@pytest.mark.parametrize("by_trades", [True, False])
def test_fills_add_up_to_a_position_with_exact_profit(by_trades: bool) -> None:
    """Bought at 10.1 and 10.3, sold at 11: the profit of what was sold is exact, and each fill is an event."""
    harness = started(by_trades=by_trades)
    bought = placed(harness, "buy", 3, 11)
    harness.fill(bought, 1, price="10.1")  # type: ignore[arg-type]
    harness.fill(bought, 2, price="10.3")  # type: ignore[arg-type]
    sold = placed(harness, "sell", 2, 11)
    harness.fill(sold, 2)  # type: ignore[arg-type]
    position = harness.strategy.positions[EXCHANGE, SYMBOL]
    assert position.quantity == 1
    assert position.position.opened_cost == Decimal("30.7")
    assert position.realised == 22 - Decimal("30.7") + position.cost
    assert position.profit(11) == 22 + 11 - Decimal("30.7")
    events = harness.strategy.fills
    assert [(each.fill.side, each.fill.price, each.fill.amount) for each in events] == [
        ("buy", Decimal("10.1"), 1), ("buy", Decimal("10.3"), 2), ("sell", Decimal(11), 2),
    ]  # fmt: skip
    assert [each.position.quantity for each in events] == [1, 3, 1]


def test_a_rebate_that_an_order_reports_is_a_gain() -> None:
    """Exchanges pay makers; what two fills brought is in the profit."""
    harness = started(by_trades=False)
    bought = placed(harness, "buy", 2, 10)
    for filled in (1, 2):
        known = {name: getattr(bought, name) for name in Order.__struct_fields__}
        fees = [OrderFee("USDT", Decimal("-0.01") * filled)]
        changes = {"filled": Decimal(filled), "cost": Decimal(10 * filled), "fees": fees}
        harness.feed_order(EXCHANGE, Order(**{**known, **changes}))
    position = harness.strategy.positions[EXCHANGE, SYMBOL]
    assert (position.quantity, position.realised, position.fees) == (2, Decimal("0.02"), Decimal("-0.02"))


def test_fees_of_an_order_are_counted_in_each_of_its_currencies() -> None:
    """BNB ran out after the second fill; a restart and an earlier version's saved sum count nothing twice."""
    reports = [
        (order("2", "20"), [OrderFee("BNB", Decimal("0.2"))]),
        (order("5", "50"), [OrderFee("BNB", Decimal("0.3")), OrderFee("USDT", Decimal("0.02"))]),
        (order("7", "70"), [OrderFee("USDT", Decimal("0.04")), OrderFee("BNB", Decimal("0.3"))]),
    ]
    harness = started(by_trades=False, orders=[])
    for number, (report, fees) in enumerate(reports):
        known = [record(replace(report, fees=fees))]
        saved = harness.saved.positions or b"[]"
        assert (b'"20",{"BNB":"0.2"}' in saved) == (number == 1)
        saved = saved.replace(b'"20",{"BNB":"0.2"}', b'"20","0.2"')  # as an earlier version kept it
        harness = started(SavedStrategy(positions=saved), by_trades=False, orders=known)
    position = harness.strategy.positions[EXCHANGE, SYMBOL].position
    assert position.fees_by_currency == {"BNB": Decimal("0.3"), "USDT": Decimal("0.04")}
    assert position.unvalued_fees == {"BNB": Decimal("0.3")}
    assert position.realised == -position.fees == Decimal("-0.04")


def test_fees_that_an_order_reports_later_count_once() -> None:
    """The exchange's stream tells none, and the next answer does: no event is missing, and none is repeated."""
    harness = started(by_trades=False, orders=[record(order("1", "10"))])
    for report in (
        order("2", "20"),
        *[replace(order("2", "20", "closed"), fees=[OrderFee("USDT", Decimal("0.02"))])] * 2,
    ):
        harness.feed_order(EXCHANGE, report)
    position = harness.strategy.positions[EXCHANGE, SYMBOL]
    assert (position.realised, position.fees) == (Decimal("-0.02"), Decimal("0.02"))
    assert [(each.fill.amount, each.fill.fees) for each in harness.strategy.fills] == [(1, ())]
    again = started(harness.saved, by_trades=False, orders=[record(report)])
    assert again.strategy.at_start == position.position


def test_an_own_trade_is_counted_with_the_fee_in_each_currency() -> None:
    """What the order's reports tell later is what it cost beyond that, in each of them."""
    harness = started(by_trades=True, orders=[record(order("2", "20"))])
    fees = Fee("BNB", 0.25), Fee("USDT", 0.5)
    harness.feed_own_trades(EXCHANGE, SYMBOL, [Trade("1", 1, SYMBOL, "buy", 10.0, 2.0, order="7", fees=fees)])
    assert [each.fill.fees for each in harness.strategy.fills] == [
        (PositionFee(Decimal("0.25"), "BNB"), PositionFee(Decimal("0.5"), "USDT"))
    ]
    later = [OrderFee("BNB", Decimal("0.25")), OrderFee("USDT", Decimal("0.75"))]
    harness.feed_order(EXCHANGE, replace(order("3", "30"), fees=later))
    position = harness.strategy.positions[EXCHANGE, SYMBOL]
    assert position.position.fees_by_currency == {"BNB": Decimal("0.25"), "USDT": Decimal("0.75")}
    assert position.realised == Decimal("-0.75")


def test_an_own_trade_brings_its_fee_and_counts_once() -> None:
    """The order's report is not counted beside its trades, nor is a trade that comes twice or is another source's."""
    harness = started(by_trades=True)
    bought = placed(harness, "buy", 2, 10)
    harness.fill(bought, 1, fee=Fee(currency="USDT", cost=0.01))  # type: ignore[arg-type]
    again = Trade("1", 1, SYMBOL, "buy", 10.0, 1.0, order="order-1")
    foreign = Trade("2", 1, SYMBOL, "buy", 10.0, 5.0, order="900")
    harness.feed_own_trades(EXCHANGE, SYMBOL, [again, foreign])
    assert len(harness.strategy.fills) == 1
    assert harness.strategy.positions[EXCHANGE, SYMBOL].realised == Decimal("-0.01")


def test_a_trade_that_comes_before_its_order_is_known_counts_when_it_is() -> None:
    """The exchange's stream may be quicker than the executor's answer."""
    harness = started(by_trades=True)
    harness.feed_own_trades(EXCHANGE, SYMBOL, [Trade("1", 1, SYMBOL, "buy", 10.0, 1.0, order="order-1")])
    assert harness.strategy.fills == []
    placed(harness, "buy", 1, 10)
    assert [each.fill.trade_id for each in harness.strategy.fills] == ["1"]


def test_what_was_filled_while_no_run_looked_is_in_the_position_at_the_start() -> None:
    """The order's growth since the last run counts once, and is no event; a third run counts nothing again."""
    first = started(by_trades=False, orders=[record(order("2", "20"))])
    assert first.strategy.at_start.quantity == 2
    second = started(first.saved, by_trades=False, orders=[record(order("5", "50.3", "closed"))])
    assert (second.strategy.at_start.quantity, second.strategy.at_start.turnover) == (5, Decimal("50.3"))
    assert second.strategy.fills == []
    third = started(second.saved, by_trades=False, orders=[record(order("5", "50.3", "closed"))])
    assert third.strategy.at_start == second.strategy.at_start


def test_orders_whose_trades_never_come_are_counted_by_their_reports() -> None:
    """The position is right all along; the oldest are counted, and their trades count no more should they come."""
    harness = started(by_trades=True)
    for number in range(60):
        ours = Order(
            id=str(number), symbol=SYMBOL, side="buy", amount=Decimal(1), price=Decimal(10), filled=Decimal(1),
            cost=Decimal(10), status="closed",
        )  # fmt: skip
        harness.runtime.order_found(record(ours))
        harness.host.run()
        assert harness.strategy.positions[EXCHANGE, SYMBOL].quantity == number + 1
    assert [each.fill.order_id for each in harness.strategy.fills] == [str(number) for number in range(10)]
    late = [Trade(f"t{number}", 1, SYMBOL, "buy", 10.0, 1.0, order=str(number)) for number in (0, 59)]
    harness.feed_own_trades(EXCHANGE, SYMBOL, late)
    assert harness.strategy.positions[EXCHANGE, SYMBOL].quantity == 60
    assert [each.fill.trade_id for each in harness.strategy.fills[10:]] == ["t59"]


def test_earlier_own_trades_count_if_no_run_has_counted_them() -> None:
    """After a restart the stream's snapshot repeats old trades; those that are new are events."""
    first = started(by_trades=True, orders=[record(order("2", "20"))])
    old, new = (Trade(str(n), n, SYMBOL, "buy", 10.0, 1.0, order="7") for n in (1, 2))
    first.feed_own_trades(EXCHANGE, SYMBOL, [old])
    second = started(first.saved, by_trades=True, orders=[record(order("2", "20"))])
    second.runtime.earlier_own_trades(EXCHANGE, SYMBOL, [old, new])
    second.host.run()
    assert [each.fill.trade_id for each in second.strategy.fills] == ["2"]
    assert second.strategy.positions[EXCHANGE, SYMBOL].quantity == 2


def test_a_record_that_cannot_be_read_starts_nothing() -> None:
    """A strategy without what it knew could trade twice."""
    with pytest.raises(SavedRecordBroken, match="_Trader"):
        started(SavedStrategy(positions=b'{"no": 1}'), by_trades=False)


_numbers = st.decimals(min_value="0.01", max_value="1000", places=2)


@given(st.lists(st.tuples(st.booleans(), _numbers, _numbers, st.booleans(), st.booleans()), max_size=12))
def test_profit_is_that_of_the_fills_whatever_is_repeated_or_restarted(
    steps: list[tuple[bool, Decimal, Decimal, bool, bool]],
) -> None:
    """Any fills, with trades that are reported twice and restarts in between: the arithmetic of /pnl over each once."""
    harness, expected, records = started(by_trades=True), Position(), []
    for number, (is_buy, amount, price, is_repeated, restarts) in enumerate(steps):
        side = "buy" if is_buy else "sell"
        ours = Order(
            id=str(number), symbol=SYMBOL, side=side, amount=amount, price=price, filled=amount, status="closed"
        )
        records.append(record(ours))
        fee = Fee(currency="USDT", cost=0.25)
        trade = Trade(f"t{number}", LATER_MS, SYMBOL, side, float(price), float(amount), order=ours.id, fee=fee)
        harness.runtime.order_found(records[-1])
        harness.feed_own_trades(EXCHANGE, SYMBOL, [trade] * (2 if is_repeated else 1))
        paid = PositionFee(Decimal("0.25"), "USDT")
        expected = after(expected, [Fill(LATER_MS, is_buy, price, amount, None, (paid,))], SPOT)
        if restarts:
            harness = started(harness.saved, by_trades=True, orders=records)
            harness.runtime.earlier_own_trades(EXCHANGE, SYMBOL, [trade])
    assert harness.strategy.positions[EXCHANGE, SYMBOL].position == expected
