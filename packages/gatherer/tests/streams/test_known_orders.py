from decimal import Decimal

from millrace_core.orders import Order, OrderRecord
from millrace_gatherer.streams.known_orders import REMEMBERED, KnownOrders


def record(order_id: str = "1", *, status: str = "open", filled: int = 0, updated: int = 1) -> OrderRecord:
    """What one side says of an order of 10."""
    order = Order(
        id=order_id, status=status, filled=Decimal(filled), amount=Decimal(10), remaining=Decimal(10 - filled)
    )
    return OrderRecord(order=order, exchange="binance", updated=updated)


def test_only_what_changed_is_told() -> None:
    """The same word twice, or an older one after a newer, is no news."""
    known = KnownOrders()
    assert [order.filled for order in known.take([record(filled=2)])] == [2]
    assert known.take([record(filled=2, updated=9)]) == []
    assert known.take([record(filled=1)]) == []
    assert [order.status for order in known.take([record(filled=10, status="closed")])] == ["closed"]
    assert known.take([record(filled=5)]) == []


def test_final_orders_are_not_open() -> None:
    """The snapshot holds the open ones."""
    known = KnownOrders()
    known.take([record("1"), record("2", status="canceled")])
    assert [order.id for order in known.open] == ["1"]


def test_an_order_that_an_answer_lacks_is_missing_unless_it_came_after_the_question() -> None:
    """What was learnt since the question may be newer than its answer."""
    known = KnownOrders()
    known.take([record("listed"), record("gone"), record("new", updated=50), record("done", status="closed")])
    assert [order.id for order in known.open_but_missing([Order(id="listed")], asked_at=10)] == ["gone"]


def test_open_orders_are_never_forgotten() -> None:
    """Of very many orders the oldest final ones go."""
    known = KnownOrders()
    known.take([record("open")])
    known.take([record(str(n), status="closed") for n in range(REMEMBERED + 10)])
    assert [order.id for order in known.open] == ["open"]
    assert known.take([record("0", status="closed")]) != []
    assert known.take([record(str(REMEMBERED), status="closed")]) == []


def test_orders_that_were_published_by_another_are_no_news() -> None:
    """After going on from them only what changed since is told, and those that are open can be found missing."""
    known = KnownOrders()
    known.take([record("0")])
    known.restart([record("1", filled=2), record("2", status="closed")])
    assert [order.id for order in known.open] == ["1"]
    assert known.take([record("1", filled=2, updated=9), record("2", status="closed", updated=9)]) == []
    assert [order.id for order in known.open_but_missing([], asked_at=10)] == ["1"]
