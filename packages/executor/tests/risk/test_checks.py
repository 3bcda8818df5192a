"""Each limit, on facts that are written down."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.config import OrderLimits, RiskLimits
from millrace_core.market_terms import MarketTerms
from millrace_core.orders import Order
from millrace_core.requests import CreateOrder, CreatePayload, EditOrder, EditPayload
from millrace_executor.risk.books import TrustedBook
from millrace_executor.risk.checks import Approved, Bound, Facts, RiskRejection, decide, rate_window
from millrace_executor.risk.terms import EditedOrder, NewTerms, base_amount, terms_of

SPOT = MarketTerms("KCS", "USDT")
prices = st.decimals(min_value="0.00000001", max_value=10**9, allow_nan=False, places=8)


def create(**terms: Any) -> CreateOrder:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit"} | terms
    return CreateOrder(exchange_id="binance", payload=CreatePayload(**payload))


def edit(**terms: Any) -> EditOrder:
    return EditOrder(exchange_id="binance", payload=EditPayload(symbol="KCS/USDT", order_id="7", **terms))


def book(bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]) -> TrustedBook:
    levels = OrderBook()
    levels.replace(bids, asks, None)
    return TrustedBook(levels, bids[0][0], asks[0][0])


BOOK = book([(9.9, 5), (9.8, 100)], [(10.1, 5), (10.5, 100)])


def judged(
    request: NewTerms, limits: OrderLimits, *, edited: Order | None = None, sent_ms: Sequence[int] = (), **facts: Any
) -> Approved | RiskRejection:
    known: dict[str, Any] = {"elapsed_ms": 1_000_000, "market": SPOT, "book": BOOK, "book_age_ms": 10} | facts
    return decide(
        request, [Bound("", limits, sent_ms)], Facts(terms_of(request, edited and EditedOrder(edited, None)), **known)
    )


def reason(decision: Approved | RiskRejection) -> str:
    assert isinstance(decision, RiskRejection)
    return decision.reason


@given(prices, prices, prices)
def test_an_order_is_approved_just_when_its_notional_is_within_the_limit(
    price: Decimal, amount: Decimal, limit: Decimal
) -> None:
    """Price times amount decides, exactly: no rounding lets an order through or holds it back."""
    decision = judged(create(price=price, amount_base=amount), RiskLimits(max_order_notional=limit), book=None)
    assert isinstance(decision, Approved) == (price * amount <= limit)


@pytest.mark.parametrize("expected", ["0.01", "10", "1000"])
def test_a_market_order_is_measured_by_the_book_whatever_its_sender_expects(expected: str) -> None:
    """5 at 10.1 and 5 at 10.5 are 103, whatever `price` says."""
    order = create(type="market", price=Decimal(expected), amount_base=Decimal(10))
    assert isinstance(judged(order, RiskLimits(max_order_notional=Decimal(103))), Approved)
    assert "notional is 103" in reason(judged(order, RiskLimits(max_order_notional=Decimal("102.9"))))


def test_without_a_book_a_market_order_cannot_be_measured() -> None:
    """It is refused, and the text says what is missing; so is one for which the book is too thin."""
    limits = RiskLimits(max_order_notional=Decimal(10**6))
    order = create(type="market", amount_base=Decimal(1), price=Decimal(1))
    assert "no trusted book: nobody watches" in reason(judged(order, limits, book=None, no_book="nobody watches"))
    assert "holds less" in reason(judged(create(type="market", amount_base=Decimal(1000)), limits))


def test_a_sale_is_measured_by_the_bid_if_that_is_better_than_its_price() -> None:
    """A limit sale at 1 trades at 9.9."""
    order = create(side="sell", price=Decimal(1), amount_base=Decimal(10))
    assert "notional is 99" in reason(judged(order, RiskLimits(max_order_notional=Decimal(98))))
    assert isinstance(judged(order, RiskLimits(max_order_notional=Decimal(99))), Approved)


def test_an_amount_in_quote_currency_is_the_notional() -> None:
    """A market order sized in quote currency is measured by that."""
    limits = RiskLimits(max_order_notional=Decimal(100))
    assert isinstance(judged(create(type="market", amount_quote=Decimal(100)), limits), Approved)
    assert isinstance(judged(create(type="market", amount_quote=Decimal(101)), limits), RiskRejection)


def test_a_stop_is_measured_by_its_trigger() -> None:
    """A stop buy without a limit trades at its trigger or beyond."""
    order = create(type="market", trigger_price=Decimal(20), amount_base=Decimal(6))
    assert "notional is 120" in reason(judged(order, RiskLimits(max_order_notional=Decimal(100))))


@pytest.mark.parametrize(("is_inverse", "notional"), [(False, "500"), (True, "50")])
def test_contracts_are_measured_by_their_size(is_inverse: bool, notional: str) -> None:
    """5 contracts of 10: linear ones of base currency at a price of 10, inverse ones of quote currency."""
    market = MarketTerms("KCS", "USDT", True, Decimal(10), is_inverse)
    decision = judged(
        create(price=Decimal(10), amount_base=Decimal(5)), RiskLimits(max_order_notional=Decimal(1)), market=market
    )
    assert f"notional is {notional}" in reason(decision)


def test_an_edit_is_measured_with_the_terms_it_leaves_alone() -> None:
    """A new price counts with what is left of the order's own amount; without knowing the order it is refused."""
    limits = RiskLimits(max_order_notional=Decimal(100))
    known = Order(id="7", amount=Decimal(6), filled=Decimal(1), price=Decimal(10), side="buy")
    assert isinstance(judged(edit(price=Decimal(20)), limits, edited=known), Approved)
    assert isinstance(judged(edit(price=Decimal(21)), limits, edited=known), RiskRejection)
    limited = msgspec.structs.replace(known, type="limit")
    assert isinstance(judged(edit(price=Decimal(21), type="market"), limits, edited=limited), RiskRejection)
    assert "not known" in reason(judged(edit(price=Decimal(1)), limits))


def test_only_listed_symbols_may_be_traded() -> None:
    """With `symbols` set every other symbol is refused, by name."""
    order = create(price=Decimal(1), amount_base=Decimal(1))
    assert isinstance(judged(order, RiskLimits(symbols=("KCS/USDT",))), Approved)  # type: ignore[arg-type]
    assert "KCS/USDT" in reason(judged(order, RiskLimits(symbols=("ETH/BTC",))))  # type: ignore[arg-type]


@pytest.mark.parametrize("price", ["9.4", "10.6"])
def test_a_price_outside_the_collar_is_refused_with_what_would_pass(price: str) -> None:
    """5 % around the mid of 10."""
    limits = RiskLimits(price_collar_percent=Decimal(5))
    assert isinstance(judged(create(price=Decimal("10.5"), amount_base=Decimal(1)), limits), Approved)
    refused = reason(judged(create(price=Decimal(price), amount_base=Decimal(1)), limits))
    assert refused.endswith(f"and {price} is 6.00 % from the mid; allowed: 9.5 to 10.5")
    assert "no trusted book" in reason(judged(create(price=Decimal(10), amount_base=Decimal(1)), limits, book=None))


def test_a_market_order_that_would_reach_beyond_the_collar_is_refused() -> None:
    """6 would reach 10.5, 5 % from the mid; by quote currency, 100 would."""
    limits = RiskLimits(price_collar_percent=Decimal(4))
    assert isinstance(judged(create(type="market", amount_base=Decimal(5)), limits), Approved)
    assert "10.5" in reason(judged(create(type="market", amount_base=Decimal(6)), limits))
    assert "10.5" in reason(judged(create(type="market", amount_quote=Decimal(100)), limits))
    assert reason(judged(create(type="market", amount_base=Decimal(1000)), limits)) == (
        "priceCollarPercent is 4, which cannot be checked: "
        "the book holds less than the order's amount: make it smaller, or a limit order"
    )


def test_a_sale_by_quote_currency_reaches_as_far_as_it_takes_to_earn_that() -> None:
    """5 at 9.9 earn 49.5; what is more comes at 9.8, and takes more than the best price would."""
    limits = RiskLimits(price_collar_percent=Decimal("1.5"))
    assert isinstance(judged(create(side="sell", type="market", amount_quote=Decimal("49.5")), limits), Approved)
    beyond = create(side="sell", type="market", amount_quote=Decimal("49.6"))
    assert "9.8 is" in reason(judged(beyond, limits))
    assert base_amount(terms_of(beyond, None), SPOT, BOOK) == Decimal("49.6") / Decimal("9.8")


def test_an_old_book_is_refused() -> None:
    """A book is good for `maxBookAgeMs`; none at all is refused with the reason."""
    order, limits = create(price=Decimal(1), amount_base=Decimal(1)), RiskLimits(max_book_age_ms=500)
    assert all(isinstance(judged(order, limits, book_age_ms=age_ms), Approved) for age_ms in (499, 500))
    assert "501 ms old" in reason(judged(order, limits, book_age_ms=501))
    assert "nobody watches" in reason(judged(order, limits, book=None, book_age_ms=None, no_book="nobody watches"))


def test_every_reason_to_refuse_is_given_at_once_with_its_place() -> None:
    """An order that breaks a limit of the tenant, and one of its source, is refused with both."""
    order = create(price=Decimal(2), amount_base=Decimal(1))
    bounds = [Bound("", RiskLimits(symbols=())), Bound("sources.James.", OrderLimits(max_order_notional=Decimal(1)))]
    decision = decide(order, bounds, Facts(terms_of(order, None), 0, SPOT))
    assert reason(decision) == (
        "symbol KCS/USDT is not allowed; symbols allows none; "
        "sources.James.maxOrderNotional is 1 USDT, and this order's notional is 2"
    )


@given(st.floats(min_value=0.01, max_value=100), st.lists(st.integers(0, 60_000), max_size=60))
def test_no_window_holds_more_orders_than_the_rate_allows(per_second: float, arrivals: list[int]) -> None:
    """Whenever orders come, those approved within any window are within the limit."""
    count, window_ms = rate_window(per_second)
    sent: list[int] = []
    order = create(price=Decimal(1), amount_base=Decimal(1))
    for elapsed_ms in sorted(arrivals):
        decision = judged(
            order, RiskLimits(max_orders_per_second=per_second), sent_ms=tuple(sent), elapsed_ms=elapsed_ms
        )
        if isinstance(decision, Approved):
            sent.append(elapsed_ms)
    assert all(sum(1 for at in sent if end - window_ms < at <= end) <= count for end in sent)


@pytest.mark.parametrize(
    ("per_second", "window"), [(10, (10, 1000)), (2.5, (2, 800)), (0.5, (1, 2000)), (0.3, (1, 1000 / 0.3))]
)
def test_a_rate_is_a_whole_number_of_orders_in_a_window(per_second: float, window: tuple[int, float]) -> None:
    """Fractions widen or narrow the window, so that the mean is the rate."""
    assert rate_window(per_second) == window
