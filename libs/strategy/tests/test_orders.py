from decimal import Decimal
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.orders import Order, OrderKey, OrderRecord, join
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_strategy.orders import KEPT_UNDECIDED, StrategyOrders

REQUEST = "a" * 32
KCS = ("binance", "KCS/USDT")
BID = CreatePayload(symbol=KCS[1], side="buy", type="market", amount_base=Decimal(2))
CREATE = CreateOrder(exchange_id=KCS[0], request_id=REQUEST, payload=BID)
ONE = OrderKey(*KCS, "1")


def record(
    order_id: str = "1",
    *,
    place: tuple[str, str] = KCS,
    source: str | None = None,
    request: str | None = None,
    client: str | None = None,
    **fields: object,
) -> OrderRecord:
    order = Order(id=order_id, symbol=place[1], client_order_id=client, amount=Decimal(2), **fields)  # type: ignore[arg-type]
    return OrderRecord(order=order, exchange=place[0], updated=1, order_source=source, request_id=request)


ANSWER = record(source="PingPong", request=REQUEST, status="open", filled=Decimal(0))
PUSH = record(status="open", filled=Decimal(1))
LATER_PUSH = record(status="closed", filled=Decimal(2))


@pytest.mark.parametrize("arrival", list(permutations([ANSWER, PUSH, LATER_PUSH])))
def test_the_order_is_the_same_in_whatever_order_its_news_arrive(arrival: tuple[OrderRecord, ...]) -> None:
    """Answer and updates make the same order, closed and filled, whichever comes first."""
    orders = StrategyOrders("PingPong")
    for news in arrival:
        orders.learn(news)
    assert (orders[ONE].status, orders[ONE].filled) == ("closed", Decimal(2))
    assert list(orders.open) == []
    assert orders.of_request(REQUEST) == orders[ONE]


def test_an_update_before_the_answer_is_not_reported_until_the_owner_is_known() -> None:
    """An order of unknown source is set aside; the answer makes it ours with the newest fill."""
    orders = StrategyOrders("PingPong")
    assert orders.learn(PUSH) is None
    assert orders.is_undecided(OrderKey(*KCS, "1"))
    change = orders.learn(ANSWER)
    assert change is not None
    assert change.previous is None
    assert change.order.filled == Decimal(1)
    assert [order.key for order in orders.open] == [ONE]


def test_an_update_is_known_by_its_client_order_id() -> None:
    """Where the client order id is the request's, no answer is needed to know the order."""
    orders = StrategyOrders("PingPong")
    orders.expect(CREATE)
    assert orders.learn(record(client=REQUEST, status="open")) is not None


def test_orders_of_other_sources_are_not_ours() -> None:
    """A person's order on the same account does not show, nor do its later updates that name no source."""
    orders = StrategyOrders("PingPong")
    orders.learn(PUSH)
    assert orders.learn(record(source="James", status="open")) is None
    assert orders.learn(LATER_PUSH) is None
    assert not orders.is_undecided(OrderKey(*KCS, "1"))
    assert len(orders) == 0


def test_what_is_no_news_is_no_change() -> None:
    """Repeated or older reports change nothing and cause no event."""
    orders = StrategyOrders("PingPong")
    orders.learn(ANSWER)
    assert orders.learn(LATER_PUSH) is not None
    assert orders.learn(LATER_PUSH) is None
    assert orders.learn(PUSH) is None


def test_what_nobody_claims_does_not_pile_up() -> None:
    """Orders of unknown source are kept up to a limit, the oldest go."""
    orders = StrategyOrders("PingPong")
    for number in range(KEPT_UNDECIDED + 10):
        orders.learn(record(str(number), status="open"))
    assert not orders.is_undecided(OrderKey(*KCS, "9"))
    assert orders.is_undecided(OrderKey(*KCS, "10"))


PLACES = [("binance", "KCS/USDT"), ("binance", "ETH/USDT"), ("kucoin", "KCS/USDT")]
REPORTS = [("PingPong", "open", 0), (None, "open", 1), (None, "closed", 2), ("James", "open", 1)]


@st.composite
def news(draw: st.DrawFn) -> OrderRecord:
    """A report about one of few orders: two symbols and two exchanges use the same numbers."""
    place, number = draw(st.sampled_from(PLACES)), draw(st.sampled_from("12"))
    source, status, filled = draw(st.sampled_from(REPORTS))
    if source is not None:
        # An order has one source.
        source = "James" if (place, number) == (PLACES[1], "2") else "PingPong"
    return record(number, place=place, source=source, status=status, filled=Decimal(filled))


@given(st.lists(news(), max_size=40))
def test_equal_numbers_on_symbols_and_exchanges_are_different_orders(reports: list[OrderRecord]) -> None:
    """Orders, open ones and each change agree with a model that keeps every order's reports apart."""
    orders, model = StrategyOrders("PingPong"), dict[OrderKey, list[OrderRecord]]()
    for report in reports:
        key = OrderKey(report.exchange, report.order.symbol or "", report.order.id)
        before = orders.get(key)
        change = orders.learn(report)
        model.setdefault(key, []).append(report)
        ours = {
            key: reduce(join, each) for key, each in model.items() if any(r.order_source == "PingPong" for r in each)
        }
        assert {order.key: order.filled for order in orders} == {key: each.order.filled for key, each in ours.items()}
        still_open = {key for key, each in ours.items() if not each.order.is_final}
        assert {order.key for order in orders.open} == still_open
        assert all(key in orders.open for key in still_open)
        if change is not None:
            assert (change.order.key, change.previous, change.order) == (key, before, orders[key])
        else:
            assert orders.get(key) == before


def test_an_order_is_looked_up_by_itself_or_by_its_key() -> None:
    """Any state of it finds the newest one. A bare id, which may name several orders, is an error and never a miss."""
    orders = StrategyOrders("PingPong")
    orders.learn(ANSWER)
    first = orders[ONE]
    orders.learn(PUSH)
    assert first in orders.open
    assert orders[first].filled == orders.open[ONE].filled == Decimal(1)
    assert orders.get(("kucoin", "KCS/USDT", "1")) is None
    for misused in (lambda: "1" in orders, lambda: "1" in orders.open, lambda: orders.get("1"), lambda: orders["1"]):  # type: ignore[arg-type, index]
        with pytest.raises(TypeError, match="exchange, symbol, id"):
            misused()


def test_an_order_known_by_its_client_order_id_is_found_by_its_request() -> None:
    """The answer names the request of an order that was ours already: `of_request` finds it, without another event."""
    orders = StrategyOrders("PingPong")
    orders.expect(CREATE)
    orders.learn(record(client=REQUEST, status="open"))
    assert orders.learn(record(client=REQUEST, source="PingPong", request=REQUEST, status="open")) is None
    assert orders.of_request(REQUEST) == orders[ONE]
    assert orders[ONE].request_id == REQUEST


def test_a_report_without_a_symbol_changes_no_order() -> None:
    """It may be about any order of its number."""
    orders = StrategyOrders("PingPong")
    orders.learn(ANSWER)
    nowhere = Order(id="1", status="canceled")
    assert orders.learn(OrderRecord(nowhere, "binance", 2, order_source="PingPong")) is None
    assert orders[ONE] in orders.open
