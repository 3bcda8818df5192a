from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.config import RiskLimits
from millrace_core.orders import Order
from millrace_core.requests import CreateOrder, CreatePayload, EditOrder, EditPayload
from millrace_executor.risk import Approved, RiskRejection, TradingState, check, not_enforced, rate_window

NOW = TradingState(now_ms=1_000_000)
prices = st.decimals(min_value="0.00000001", max_value=10**9, allow_nan=False, places=8)


def create(**terms: object) -> CreateOrder:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit"} | terms
    return CreateOrder(exchange_id="binance", payload=CreatePayload(**payload))  # type: ignore[arg-type]


def edit(**terms: object) -> EditOrder:
    return EditOrder(exchange_id="binance", payload=EditPayload(symbol="KCS/USDT", order_id="7", **terms))  # type: ignore[arg-type]


@given(prices, prices, prices)
def test_an_order_is_approved_just_when_its_notional_is_within_the_limit(
    price: Decimal, amount: Decimal, limit: Decimal
) -> None:
    """Price times amount decides, exactly: no rounding lets an order through or holds it back."""
    decision = check(create(price=price, amount_base=amount), RiskLimits(max_order_notional=limit), NOW)
    assert isinstance(decision, Approved) == (price * amount <= limit)


def test_a_market_order_is_measured_by_its_expected_price() -> None:
    """The price of a market order is the expected one, and the notional is computed with it."""
    limits = RiskLimits(max_order_notional=Decimal(100))
    within = create(type="market", price=Decimal(25), amount_base=Decimal(4))
    beyond = create(type="market", price=Decimal(25), amount_base=Decimal(5))
    assert isinstance(check(within, limits, NOW), Approved)
    assert isinstance(check(beyond, limits, NOW), RiskRejection)


def test_what_cannot_be_measured_is_refused() -> None:
    """With a limit on notional, a market order without any price is refused, and the text says why."""
    decision = check(create(type="market", amount_base=Decimal(1)), RiskLimits(max_order_notional=Decimal(9)), NOW)
    assert isinstance(decision, RiskRejection)
    assert "cannot be checked" in decision.reason


def test_an_amount_in_quote_currency_is_the_notional() -> None:
    """A market order sized in quote currency is measured by that."""
    limits = RiskLimits(max_order_notional=Decimal(100))
    assert isinstance(check(create(type="market", amount_quote=Decimal(100)), limits, NOW), Approved)
    assert isinstance(check(create(type="market", amount_quote=Decimal(101)), limits, NOW), RiskRejection)


def test_the_larger_of_trigger_and_limit_counts() -> None:
    """A stop order may fill at either price, so the larger one counts."""
    order = create(price=Decimal(10), trigger_price=Decimal(20), amount_base=Decimal(6))
    assert isinstance(check(order, RiskLimits(max_order_notional=Decimal(100)), NOW), RiskRejection)


def test_an_edit_is_measured_with_the_terms_it_leaves_alone() -> None:
    """A new price counts with the order's own amount; without knowing the order it is refused."""
    limits = RiskLimits(max_order_notional=Decimal(100))
    known = TradingState(now_ms=0, edited=Order(id="7", amount=Decimal(5), price=Decimal(10)))
    assert isinstance(check(edit(price=Decimal(20)), limits, known), Approved)
    assert isinstance(check(edit(price=Decimal(21)), limits, known), RiskRejection)
    assert isinstance(check(edit(price=Decimal(1)), limits, NOW), RiskRejection)


def test_only_listed_symbols_may_be_traded() -> None:
    """With `symbols` set every other symbol is refused, by name."""
    order = create(price=Decimal(1), amount_base=Decimal(1))
    assert isinstance(check(order, RiskLimits(symbols=("KCS/USDT",)), NOW), Approved)  # type: ignore[arg-type]
    decision = check(order, RiskLimits(symbols=("ETH/BTC",)), NOW)  # type: ignore[arg-type]
    assert isinstance(decision, RiskRejection)
    assert "KCS/USDT" in decision.reason


def test_every_reason_to_refuse_is_given_at_once() -> None:
    """An order that breaks two limits is refused with both."""
    limits = RiskLimits(symbols=(), max_order_notional=Decimal(1))
    decision = check(create(price=Decimal(2), amount_base=Decimal(1)), limits, NOW)
    assert isinstance(decision, RiskRejection)
    assert "symbols" in decision.reason
    assert "maxOrderNotional" in decision.reason


@given(st.floats(min_value=0.01, max_value=100), st.lists(st.integers(0, 60_000), max_size=60))
def test_no_window_holds_more_orders_than_the_rate_allows(per_second: float, arrivals: list[int]) -> None:
    """Whenever orders come, those approved within any window are within the limit."""
    count, window_ms = rate_window(per_second)
    sent: list[int] = []
    order = create(price=Decimal(1), amount_base=Decimal(1))
    for now_ms in sorted(arrivals):
        state = TradingState(now_ms, tuple(sent))
        if isinstance(check(order, RiskLimits(max_orders_per_second=per_second), state), Approved):
            sent.append(now_ms)
    assert all(sum(1 for at in sent if end - window_ms < at <= end) <= count for end in sent)


@pytest.mark.parametrize(("per_second", "window"), [(10, (10, 1000)), (2.5, (2, 800)), (0.5, (1, 2000))])
def test_a_rate_is_a_whole_number_of_orders_in_a_window(per_second: float, window: tuple[int, float]) -> None:
    """Fractions widen or narrow the window, so that the mean is the rate."""
    assert rate_window(per_second) == window


def test_limits_that_protect_from_nothing_yet_are_named() -> None:
    """Limits that need books, positions or open orders are named as the configuration spells them."""
    limits = RiskLimits(max_open_orders=5, price_collar_percent=Decimal(5), max_order_notional=Decimal(1))
    assert not_enforced(limits) == ["maxOpenOrders", "priceCollarPercent"]
    assert not_enforced(RiskLimits()) == []
