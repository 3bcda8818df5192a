from decimal import Decimal

from millrace_core.market import Balance, Fee
from millrace_core.orders import OrderFee
from millrace_exchange.ccxt.conversion import balances_of, levels_of, order_of, trade_of


def test_an_order_keeps_the_digits_that_were_printed() -> None:
    """Decimals are those of the number's shortest text, not of its binary value; the raw payload is left behind."""
    order = order_of(
        {"id": 7, "price": 0.1, "amount": 1e-7, "filled": 0, "status": "open", "info": {"x": 1}, "fee": None}
    )
    assert (order.id, order.price, order.amount, order.filled) == ("7", Decimal("0.1"), Decimal("1e-7"), Decimal(0))


def test_a_trigger_price_of_nothing_is_none() -> None:
    """An order that is no stop must not look like one, which cannot be edited everywhere."""
    shown = [order_of({"id": "1", "triggerPrice": price}).trigger_price for price in (0, 0.5, None)]
    assert shown == [None, Decimal("0.5"), None]


def test_fees_come_from_either_spelling() -> None:
    """One fee or several, those without a cost left out."""
    assert order_of({"id": "1", "fee": {"currency": "BNB", "cost": 0.5}}).fees == [OrderFee("BNB", Decimal("0.5"))]
    several = {"id": "1", "fees": [{"currency": "BNB", "cost": 1}, {"currency": "X", "cost": None}]}
    assert order_of(several).fees == [OrderFee("BNB", Decimal(1))]


def test_a_fee_of_nothing_hides_no_other() -> None:
    """Gate names a fee for each currency that may be charged, its own token among them; one of them is not 0."""
    in_token = [{"currency": "BTC", "cost": 0.0}, {"currency": "GT", "cost": 0.5}]
    in_none = [{"currency": "GT", "cost": 0.0}, {"currency": "BTC", "cost": 0.0}]
    in_both = [{"currency": "GT", "cost": 0.5}, {"currency": "BTC", "cost": 0.5}]
    assert [order_of({"id": "1", "fees": fees}).fees for fees in (in_token, in_none)] == [
        [OrderFee("GT", Decimal("0.5"))],
        [OrderFee("GT", Decimal(0))],
    ]
    unsaid = {"cost": None, "currency": None}
    said = dict.fromkeys(("id", "timestamp", "symbol", "side", "price", "amount"))
    charged = [trade_of({**said, "fee": unsaid, "fees": fees}).charged for fees in (in_token, in_none, in_both, [])]
    assert charged == [(Fee("GT", 0.5),), (Fee("GT", 0.0),), (Fee("GT", 0.5), Fee("BTC", 0.5)), ()]


def test_a_trade_has_one_fee_or_one_in_each_of_several_currencies() -> None:
    """They come from ccxt by currency and rate; readers of `fee` alone must not take one of several for all."""
    said = dict.fromkeys(("id", "timestamp", "symbol", "side", "price", "amount"))
    rates = [{"currency": "GT", "cost": 0.1, "rate": 0.001}, {"currency": "GT", "cost": 0.2, "rate": 0.002}]
    other = {"currency": "BTC", "cost": 0.5}
    one, several = (trade_of({**said, "fees": fees}) for fees in (rates, [*rates, other]))
    assert (one.fee, one.fees) == (Fee("GT", 0.3), ())
    assert (several.fee, several.fees) == (None, (Fee("GT", 0.3), Fee("BTC", 0.5)))


def test_only_whole_balances_are_taken() -> None:
    """Other keys of ccxt, and currencies that are known only in part, are not balances."""
    whole = {"free": 1.0, "used": 0.5, "total": 1.5}
    found = balances_of({"info": {}, "free": {"A": 1}, "A": whole, "B": {"free": 1.0, "used": None, "total": None}})
    assert found == {"A": Balance(1.0, 0.5, 1.5)}


def test_a_debt_is_no_part_of_a_net_total() -> None:
    """It is a number above zero; where the exchange took it off the total already, nothing is left to take off."""
    held = {"free": 1.0, "used": 0.0, "total": 1.0, "debt": -0.25}
    records = {"data": [{"coin": "A", "equity": "1"}]}
    assert balances_of({"info": records, "A": held}) == {"A": Balance(1.0, 0.0, 1.0, debt=0.25)}
    assert balances_of({"info": records, "A": held}, "equity") == {"A": Balance(1.0, 0.0, 1.0, debt=0.0)}
    assert balances_of({"info": {"data": [{"coin": "A"}]}, "A": held}, "equity")["A"].debt == 0.25


def test_orders_at_one_price_are_one_level() -> None:
    """Where ccxt holds single orders, a level's amount is their sum."""
    assert levels_of([[10.0, 1.0, "a"], [10.0, 2.0, "b"], [9.0, 4.0, "c"]]) == [(10.0, 3.0), (9.0, 4.0)]


def test_a_status_that_is_not_known_says_nothing() -> None:
    """A word of the exchange's own, which ccxt passes on, would outrank `open` for ever."""
    said = ("open", "closed", "canceled", "expired", "rejected", "canceling", "PENDING_NEW", None)
    statuses = [order_of({"id": "1", "status": status}).status for status in said]
    assert statuses == ["open", "closed", "canceled", "expired", "rejected", None, None, None]
