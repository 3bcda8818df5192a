from decimal import Decimal

from msgspec.structs import replace

from millrace_core.orders import Order, OrderFee, OrderRecord
from millrace_gatherer.streams.order_cache import REMEMBERED, OrderCache


def record(order_id: str = "1", *, status: str = "open", filled: int = 0, updated: int = 1) -> OrderRecord:
    """What one side says of an order of 10."""
    order = Order(
        id=order_id, status=status, filled=Decimal(filled), amount=Decimal(10), remaining=Decimal(10 - filled)
    )
    return OrderRecord(order=order, exchange="binance", updated=updated)


def test_only_what_changed_is_returned() -> None:
    """The same word twice, or an older one after a newer, is no news."""
    cache = OrderCache()
    assert [order.filled for order in cache.take([record(filled=2)])] == [2]
    assert cache.take([record(filled=2, updated=9)]) == []
    assert cache.take([record(filled=1)]) == []
    assert [order.status for order in cache.take([record(filled=10, status="closed")])] == ["closed"]
    assert cache.take([record(filled=5)]) == []


def test_what_an_order_cost_is_news() -> None:
    """Where the stream tells no fees, as KuCoin's, only a later answer does, when the order is final by then."""
    cache = OrderCache()
    cache.take([record(filled=10, status="closed")])
    answered = record(filled=10, status="closed")
    order = replace(answered.order, cost=Decimal(20), fees=[OrderFee("KCS", Decimal(1))])
    assert cache.take([replace(answered, order=order)]) == [order]
    assert cache.take([replace(answered, order=order), answered]) == []


def test_final_orders_are_not_open() -> None:
    """The snapshot holds the open ones."""
    cache = OrderCache()
    cache.take([record("1"), record("2", status="canceled")])
    assert [order.id for order in cache.open] == ["1"]


def test_open_orders_are_never_forgotten() -> None:
    """Of very many orders the oldest final ones go."""
    cache = OrderCache()
    cache.take([record("open")])
    cache.take([record(str(n), status="closed") for n in range(REMEMBERED + 10)])
    assert [order.id for order in cache.open] == ["open"]
    assert cache.take([record("0", status="closed")]) != []
    assert cache.take([record(str(REMEMBERED), status="closed")]) == []


def test_orders_that_were_published_by_another_are_no_news() -> None:
    """After resuming, only later changes are reported."""
    cache = OrderCache()
    cache.take([record("0")])
    cache.restart([record("1", filled=2), record("2", status="closed")])
    assert [order.id for order in cache.open] == ["1"]
    assert cache.take([record("1", filled=2, updated=9), record("2", status="closed", updated=9)]) == []
