from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.orders import Order, OrderRecord
from millrace_strategy.orders import KEPT_UNDECIDED, Orders

REQUEST = "a" * 32


def record(
    order_id: str = "1",
    *,
    source: str | None = None,
    request: str | None = None,
    client: str | None = None,
    **fields: object,
) -> OrderRecord:
    order = Order(id=order_id, symbol="KCS/USDT", client_order_id=client, amount=Decimal(2), **fields)  # type: ignore[arg-type]
    return OrderRecord(order=order, exchange="binance", updated=1, order_source=source, request_id=request)


ANSWER = record(source="PingPong", request=REQUEST, status="open", filled=Decimal(0))
PUSH = record(status="open", filled=Decimal(1))
LATER_PUSH = record(status="closed", filled=Decimal(2))


@pytest.mark.parametrize("arrival", list(permutations([ANSWER, PUSH, LATER_PUSH])))
def test_the_order_is_the_same_in_whatever_order_its_news_arrive(arrival: tuple[OrderRecord, ...]) -> None:
    """Answer and updates make the same order, closed and filled, whichever comes first."""
    orders = Orders("PingPong")
    for news in arrival:
        orders.learn(news)
    assert (orders["1"].status, orders["1"].filled) == ("closed", Decimal(2))
    assert orders.open_ids == []
    assert orders.of_request(REQUEST) == orders["1"]


def test_an_update_before_the_answer_is_not_reported_until_the_owner_is_known() -> None:
    """An order of unknown source is set aside; the answer makes it ours with the newest fill."""
    orders = Orders("PingPong")
    assert orders.learn(PUSH) is None
    assert orders.is_undecided("1")
    change = orders.learn(ANSWER)
    assert change is not None
    assert change.previous is None
    assert change.record.order.filled == Decimal(1)
    assert orders.open_ids == ["1"]


def test_an_update_is_known_by_its_client_order_id() -> None:
    """Where the client order id is the request's, no answer is needed to know the order."""
    orders = Orders("PingPong")
    orders.expect(REQUEST)
    assert orders.learn(record(client=REQUEST, status="open")) is not None


def test_orders_of_other_sources_are_not_ours() -> None:
    """A person's order on the same account does not show, nor do its later updates that name no source."""
    orders = Orders("PingPong")
    orders.learn(PUSH)
    assert orders.learn(record(source="James", status="open")) is None
    assert orders.learn(LATER_PUSH) is None
    assert not orders.is_undecided("1")
    assert len(orders) == 0


def test_what_is_no_news_is_no_change() -> None:
    """Repeated or older reports change nothing and cause no event."""
    orders = Orders("PingPong")
    orders.learn(ANSWER)
    assert orders.learn(LATER_PUSH) is not None
    assert orders.learn(LATER_PUSH) is None
    assert orders.learn(PUSH) is None


def test_what_nobody_claims_does_not_pile_up() -> None:
    """Orders of unknown source are kept up to a limit, the oldest go."""
    orders = Orders("PingPong")
    for number in range(KEPT_UNDECIDED + 10):
        orders.learn(record(str(number), status="open"))
    assert not orders.is_undecided("9")
    assert orders.is_undecided("10")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([ANSWER, PUSH, LATER_PUSH])), max_size=30))
def test_the_open_ids_are_those_of_orders_that_are_not_final(news: list[tuple[int, OrderRecord]]) -> None:
    """At every moment `open_ids` agrees with the orders themselves."""
    orders = Orders("PingPong")
    for number, reported in news:
        fields = {"status": reported.order.status, "filled": reported.order.filled}
        orders.learn(record(str(number), source=reported.order_source, **fields))
        assert set(orders.open_ids) == {order.id for order in orders.values() if not order.is_final}
        assert [order.id for order in orders.open] == orders.open_ids
