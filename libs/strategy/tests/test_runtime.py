from collections.abc import Iterable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from millrace_core.market import Balance
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderKey, OrderRecord
from millrace_strategy import Context, Event, OrderEvent, ResponseEvent, StatusEvent, Strategy, StrategyOrder
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = ExchangeId("binance"), Symbol("KCS/USDT")
SEVEN = OrderKey(EXCHANGE, SYMBOL, "7")


def ids(orders: Iterable[StrategyOrder]) -> list[str]:
    return [order.id for order in orders]


class _Recorder(Strategy):
    """Notes every event with the ids open at that moment."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.events: list[Event] = []
        self.open_then: list[list[str]] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)
        self.open_then.append(ids(self.orders.open))


@pytest.fixture
def harness() -> StrategyHarness:
    harness = StrategyHarness(_Recorder, name="Recorder", books=[(EXCHANGE, SYMBOL)])
    harness.start()
    return harness


def buy(harness: StrategyHarness) -> str:
    pending = harness.strategy.trader.create_order(
        exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="limit", amount=2, price=10
    )
    return str(pending.request_id)


def order(status: str = "open", filled: int = 0, order_id: str = "7") -> Order:
    return Order(id=order_id, symbol=SYMBOL, side="buy", amount=Decimal(2), status=status, filled=Decimal(filled))


def kinds(harness: StrategyHarness) -> list[type]:
    return [type(event) for event in harness.strategy.events[1:]]


def test_the_order_is_known_when_the_answer_is_reported(harness: StrategyHarness) -> None:
    """State comes first: `on_response` finds the order among the open ones; then the order's own event comes."""
    buy(harness)
    placed = harness.accept(harness.requests[0])
    assert kinds(harness) == [ResponseEvent, OrderEvent]
    assert harness.strategy.open_then[1] == [placed.id]
    assert harness.strategy.orders.of_request(harness.requests[0].request_id) == placed


def test_a_fill_that_comes_before_the_answer_is_not_lost(harness: StrategyHarness) -> None:
    """The update of an unknown order is looked up; the answer then shows the order with its fill."""
    buy(harness)
    harness.feed_order(EXCHANGE, order(filled=1))
    assert harness.host.looked_up == [SEVEN]
    assert kinds(harness) == []
    harness.answer(harness.requests[0], "done", order=order())
    assert harness.strategy.orders[SEVEN].filled == Decimal(1)
    assert ids(harness.strategy.orders.open) == ["7"]


def test_what_redis_says_of_an_unknown_order_decides(harness: StrategyHarness) -> None:
    """Its hash names the source: ours becomes an order, another's is forgotten."""
    for order_id, source in (("7", "Recorder"), ("8", "James")):
        harness.feed_order(EXCHANGE, order(order_id=order_id))
        found = OrderRecord(order=order(order_id=order_id), exchange=EXCHANGE, updated=1, order_source=source)
        harness.runtime.order_found(found)
    assert ids(harness.strategy.orders.open) == ["7"]


def test_orders_of_an_earlier_life_are_known_at_the_start() -> None:
    """`on_start` finds them, and they cause no events."""
    harness = StrategyHarness(_Recorder, name="Recorder")
    ours = OrderRecord(order=order(), exchange=EXCHANGE, updated=1, order_source="Recorder", request_id="a" * 32)
    others = OrderRecord(order=order(order_id="8"), exchange=EXCHANGE, updated=1, order_source="James")
    harness.start([ours, others])
    assert harness.strategy.open_then == [["7"]]
    assert kinds(harness) == []


def test_an_answer_to_a_request_of_an_earlier_life_is_ours_by_its_source(harness: StrategyHarness) -> None:
    """A strategy that was killed while its request was on the way learns of the order."""
    response = Response(request_id="b" * 32, status="done", order=order(), order_source="Recorder")
    harness.runtime.response(EXCHANGE, Action("createOrder"), SYMBOL, response)
    harness.host.run()
    assert kinds(harness) == [ResponseEvent, OrderEvent]
    assert ids(harness.strategy.orders.open) == ["7"]


def test_answers_to_others_are_not_reported(harness: StrategyHarness) -> None:
    """An order of another source on the same account is not shown."""
    response = Response(request_id="b" * 32, status="done", order=order(), order_source="James")
    harness.runtime.response(EXCHANGE, Action("createOrder"), SYMBOL, response)
    harness.host.run()
    assert kinds(harness) == []
    assert len(harness.strategy.orders) == 0


def test_our_order_cancelled_by_another_is_reported_and_stays_ours(harness: StrategyHarness) -> None:
    """Cancelling an order does not make it ours, and answers to other sources cause no event."""
    buy(harness)
    harness.answer(harness.requests[0], "done", order=order())
    response = Response(request_id="b" * 32, status="done", order=order("canceled"), order_source="James")
    harness.runtime.response(EXCHANGE, Action("cancelOrder"), SYMBOL, response)
    harness.host.run()
    assert kinds(harness) == [ResponseEvent, OrderEvent, OrderEvent]
    assert harness.strategy.orders[SEVEN].status == "canceled"


@pytest.mark.parametrize("source", ["Recorder", "James"])
@pytest.mark.parametrize("editor", ["Recorder", "James"])
def test_the_order_that_an_edit_makes_belongs_to_the_source_of_the_former(
    source: str, editor: str, harness: StrategyHarness
) -> None:
    """Whoever asks for the edit, and whether its answer or the order's own report comes first."""
    harness.runtime.order_found(OrderRecord(order=order(), exchange=EXCHANGE, updated=1, order_source=source))
    edit_id = "b" * 32
    if editor == "Recorder":
        edit_id = harness.strategy.trader.edit_order(SEVEN, price=11).request_id
    eight = replace(order(order_id="8"), client_order_id=str(edit_id))
    harness.feed_order(EXCHANGE, eight)
    response = Response(request_id=edit_id, status="done", order=eight, order_source=editor)
    harness.runtime.response(EXCHANGE, Action("editOrder"), SYMBOL, response)
    if source != editor:
        # Nobody but Redis says whose it is.
        assert SEVEN._replace(id="8") in harness.host.looked_up
        harness.runtime.order_found(OrderRecord(order=eight, exchange=EXCHANGE, updated=2, order_source=source))
    assert ("8" in ids(harness.strategy.orders)) == (source == "Recorder")


def test_an_order_that_ended_unseen_is_looked_up(harness: StrategyHarness) -> None:
    """An order that we know as open, and the account does not list, is looked up."""
    buy(harness)
    harness.answer(harness.requests[0], "done", order=order())
    harness.runtime.open_orders(EXCHANGE, SYMBOL, [order()])
    assert harness.host.looked_up == []
    harness.runtime.open_orders(EXCHANGE, SYMBOL, [])
    assert harness.host.looked_up == [SEVEN]


def test_orders_of_one_number_are_not_mistaken_for_each_other(harness: StrategyHarness) -> None:
    """Each answer makes its own order, also if it names no symbol; only the order that is not listed is looked up."""
    eth = Symbol("ETH/USDT")
    for exchange, symbol in ((EXCHANGE, SYMBOL), (EXCHANGE, eth), (ExchangeId("kucoin"), SYMBOL)):
        harness.strategy.trader.create_order(
            exchange=exchange, symbol=symbol, side="buy", type="limit", amount=2, price=10
        )
        harness.answer(harness.requests[-1], "done", order=replace(order(), symbol=None))
    assert len(harness.strategy.orders.open) == 3
    harness.feed_order(EXCHANGE, replace(order("closed", filled=2), symbol=eth))
    assert {order.key for order in harness.strategy.orders.open} == {SEVEN, OrderKey("kucoin", SYMBOL, "7")}
    assert harness.strategy.orders[SEVEN].filled == 0
    harness.runtime.open_orders(ExchangeId("kucoin"), SYMBOL, [order()])
    assert harness.host.looked_up == []
    harness.runtime.open_orders(EXCHANGE, SYMBOL, [])
    assert harness.host.looked_up == [SEVEN]


def test_a_report_that_names_no_symbol_is_looked_up(harness: StrategyHarness) -> None:
    """An account-wide cancel-all may name orders without their symbol: Redis knows which they are."""
    buy(harness)
    harness.answer(harness.requests[0], "done", order=order())
    response = Response(request_id="b" * 32, status="done", orders=[replace(order("canceled"), symbol=None)])
    harness.runtime.response(EXCHANGE, Action("cancelAllOrders"), None, response)
    assert harness.host.looked_up == [(EXCHANGE, None, "7")]
    assert len(harness.strategy.orders.open) == 1


def test_a_stream_reports_its_status_only_when_it_changes(harness: StrategyHarness) -> None:
    """Writers repeat their status every 5 s; it is one event."""
    for status in ("live", "stale", "stale", "live", "live", "untrusted"):
        harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, status)
    reported = [event.status for event in harness.strategy.events if isinstance(event, StatusEvent)]
    assert reported == ["stale", "live", "untrusted"]


def test_balances_are_live_and_by_exchange(harness: StrategyHarness) -> None:
    """An account whose balances are unknown has none."""
    assert dict(harness.strategy.balances["kucoin"]) == {}
    harness.feed_balances(EXCHANGE, {"KCS": Balance(free=5.0)})
    assert harness.strategy.balances[EXCHANGE]["KCS"].free == 5.0
