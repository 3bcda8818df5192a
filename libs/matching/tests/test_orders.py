import pytest

from millrace_matching.orders import NewOrder, OrderType, Side, TimeInForce, contradiction


@pytest.mark.parametrize(
    "order",
    [
        NewOrder(1, Side.BUY, OrderType.LIMIT, quantity=1),
        NewOrder(1, Side.BUY, OrderType.LIMIT, quantity=0, price=1),
        NewOrder(1, Side.BUY, OrderType.MARKET, quantity=1, price=1),
        NewOrder(1, Side.BUY, OrderType.MARKET),
        NewOrder(1, Side.BUY, OrderType.LIMIT, budget=5, price=1),
        NewOrder(1, Side.BUY, OrderType.STOP_LOSS, quantity=1),
        NewOrder(1, Side.BUY, OrderType.LIMIT, quantity=1, price=1, trigger_price=2),
        NewOrder(1, Side.BUY, OrderType.LIMIT_MAKER, quantity=1, price=1, time_in_force=TimeInForce.IOC),
    ],
)
def test_contradictions_are_found(order: NewOrder) -> None:
    """An order whose fields contradict each other is rejected with a reason."""
    assert contradiction(order)


@pytest.mark.parametrize(
    "order",
    [
        NewOrder(1, Side.BUY, OrderType.LIMIT, quantity=1, price=1, time_in_force=TimeInForce.FOK),
        NewOrder(1, Side.SELL, OrderType.MARKET, budget=10),
        NewOrder(1, Side.BUY, OrderType.STOP_LOSS, quantity=1, budget=9, trigger_price=3),
        NewOrder(1, Side.SELL, OrderType.TAKE_PROFIT_LIMIT, quantity=1, price=1, trigger_price=2),
    ],
)
def test_sound_orders_pass(order: NewOrder) -> None:
    """An order that makes sense has no contradiction."""
    assert contradiction(order) is None
