from millrace_matching.orders import NewOrder, OrderType, Side
from millrace_matching.triggers import Triggers


def _stop(order_id: int, side: Side, type_: OrderType, trigger: int) -> NewOrder:
    return NewOrder(order_id, side, type_, quantity=1, trigger_price=trigger)


def test_each_kind_waits_for_its_own_direction() -> None:
    """Stop-loss buys and take-profit sells wait for a rise, the other two for a fall."""
    triggers = Triggers()
    triggers.add(_stop(1, Side.BUY, OrderType.STOP_LOSS, 110))
    triggers.add(_stop(2, Side.SELL, OrderType.TAKE_PROFIT, 111))
    triggers.add(_stop(3, Side.SELL, OrderType.STOP_LOSS, 90))
    triggers.add(_stop(4, Side.BUY, OrderType.TAKE_PROFIT, 91))
    assert triggers.pop(92, 109) is None
    popped = [triggers.pop(92, 111), triggers.pop(92, 111), triggers.pop(90, 90), triggers.pop(90, 90)]
    assert [order.order_id for order in popped if order] == [1, 2, 4, 3]


def test_equal_triggers_fire_in_order_of_arrival() -> None:
    """Of two orders with the same trigger the earlier works first."""
    triggers = Triggers()
    for order_id in (7, 3, 5):
        triggers.add(_stop(order_id, Side.BUY, OrderType.STOP_LOSS, 100))
    assert [order.order_id for _ in range(3) if (order := triggers.pop(100, 100))] == [7, 3, 5]


def test_an_order_taken_back_never_fires() -> None:
    """A discarded order is gone, and discarding it again says so."""
    triggers = Triggers()
    triggers.add(_stop(1, Side.BUY, OrderType.STOP_LOSS, 100))
    assert triggers.discard(1) is not None
    assert triggers.discard(1) is None
    assert triggers.pop(0, 1000) is None
