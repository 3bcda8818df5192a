"""What fills add up to."""

from decimal import Decimal

from millrace_core.orders import OrderFee
from millrace_exchange.native.fills import OrderFills


def test_fills_add_up_without_a_rounding() -> None:
    """Costs by order, fees by currency."""
    fills = OrderFills()
    fills.add("a", "1", Decimal("0.1"), Decimal("0.00001000"), "BNB", Decimal("0.1"))
    fills.add("a", "2", Decimal("0.2"), Decimal("0.00003"), "BNB", Decimal("0.2"))
    fills.add("a", "3", Decimal("0.3"), Decimal("0.00005"), "USDT", Decimal("0.5"))
    fills.add("b", "3", Decimal(1), Decimal(7))
    assert fills.cost("a", Decimal("0.6")) == Decimal("0.00009")
    assert fills.fees("a", Decimal("0.6")) == [OrderFee("BNB", Decimal("0.3")), OrderFee("USDT", Decimal("0.5"))]
    assert (fills.cost("b", Decimal(1)), fills.fees("b", Decimal(1))) == (Decimal(7), [])


def test_of_an_order_whose_first_fill_was_missed_nothing_is_known() -> None:
    """A sum of some of its fills would be taken for that of all."""
    fills = OrderFills()
    fills.add("a", "1", Decimal(1), Decimal(10), "USDT", Decimal(1))
    assert (fills.cost("a", Decimal(2)), fills.fees("a", Decimal(2))) == (None, [])


def test_a_fill_that_comes_twice_does_not_stand_for_one_that_was_missed() -> None:
    """Their amounts may be the same, and their prices not."""
    fills = OrderFills()
    for trade, price in (("1", 10), ("1", 10), ("3", 13)):
        fills.add("a", trade, Decimal(1), Decimal(price), "USDT", Decimal(1))
    assert (fills.cost("a", Decimal(3)), fills.fees("a", Decimal(3))) == (None, [])


def test_an_order_that_ended_is_forgotten() -> None:
    """Nothing more comes of it."""
    fills = OrderFills()
    fills.add("a", "1", Decimal(1), Decimal(10))
    fills.forget("a")
    fills.forget("a")
    assert fills.cost("a", Decimal(1)) is None
