"""What an exchange takes: orders are rounded to it, or it is said why they would be refused."""

from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market_terms import (
    MarketTerms,
    SizedOrder,
    Unsendable,
    refusals,
    terms_as_text,
    terms_of,
)
from millrace_core.messages import Status, encode
from millrace_core.requests import CreatePayload

D = Decimal
SPOT = MarketTerms(
    "KCS", "USDT", tick_size=D("0.05"), amount_step=D("0.1"), cost_step=D("0.01"), min_amount=D("0.2"), min_cost=D(5)
)
DIGITS = MarketTerms("BTC", "USD", price_digits=5, amount_digits=3)
CONTRACT = MarketTerms("BTC", "USDT", is_contract=True, contract_size=D("0.001"), amount_step=D(1), min_cost=D(5))
INVERSE = MarketTerms("BTC", "USD", is_contract=True, contract_size=D(100), is_inverse=True, min_cost=D(150))

_sizes = st.one_of(st.none(), st.sampled_from([D(10) ** n for n in range(-8, 2)] + [D("0.05"), D("0.25")]))
_digits = st.one_of(st.none(), st.integers(1, 8))
_terms = st.builds(
    MarketTerms, st.just("A"), st.just("B"), tick_size=_sizes, amount_step=_sizes, price_digits=_digits,
    amount_digits=_digits, min_amount=_sizes, min_cost=_sizes,
)  # fmt: skip
_numbers = st.decimals(min_value=D("1e-9"), max_value=D("1e9"), places=9)


@given(_terms, st.sampled_from(["buy", "sell"]), _numbers, _numbers)
def test_what_fits_is_refused_by_no_rule(
    terms: MarketTerms, side: Literal["buy", "sell"], price: Decimal, amount: Decimal
) -> None:
    """The amount is never more than was wanted, nor the price worse; what does not fit would be refused as it is."""
    fitted = terms.fit(side, price, amount)
    if isinstance(fitted, SizedOrder):
        assert 0 < fitted.amount <= amount
        assert 0 < fitted.price <= price if side == "buy" else fitted.price >= price
        assert refusals(terms, limit(side, fitted.price, fitted.amount)) == []
        assert terms.fit(side, *fitted) == fitted
    else:
        assert refusals(terms, limit(side, price, amount)) != []


def limit(side: Literal["buy", "sell"], price: Decimal, amount: Decimal) -> CreatePayload:
    """Return a limit order."""
    return CreatePayload(symbol="A/B", side=side, type="limit", price=price, amount_base=amount)


@pytest.mark.parametrize(
    ("terms", "side", "price", "amount", "expected"),
    [
        (SPOT, "buy", "9.99", "0.66", SizedOrder(D("9.95"), D("0.6"))),
        (SPOT, "sell", 9.99, 0.66, SizedOrder(D("10.00"), D("0.6"))),
        (SPOT, "sell", "9.99", "0.33", Unsendable("cost 3 is below the least cost of KCS/USDT, 5 USDT")),
        (SPOT, "sell", "99", "0.19", Unsendable("amount 0.1 is below the least amount of KCS/USDT, 0.2")),
        (SPOT, "sell", "9", "0.09", Unsendable("amount 0.09 rounds to 0")),
        (SPOT, "buy", "0.04", "9", Unsendable("price 0.04 rounds to 0")),
        (DIGITS, "buy", "123456.7", "1.2345", SizedOrder(D("1.2345E+5"), D("1.23"))),
        (CONTRACT, "buy", "60000", "1.5", SizedOrder(D(60_000), D(1))),
        (CONTRACT, "buy", "4000", "1", Unsendable("cost 4 is below the least cost of BTC/USDT, 5 USDT")),
        (INVERSE, "buy", "60000", "1", Unsendable("cost 100 is below the least cost of BTC/USD, 150 USD")),
        (MarketTerms("A", "B"), "buy", "1.23456789", "1e-9", SizedOrder(D("1.23456789"), D("1e-9"))),
    ],
)
def test_an_order_is_rounded_or_the_reason_is_said(
    terms: MarketTerms, side: Literal["buy", "sell"], price: str, amount: str, expected: Any
) -> None:
    """By steps, by significant digits, in contracts; without rules nothing is changed or refused."""
    assert terms.fit(side, D(str(price)), D(str(amount))) == expected


def test_a_market_order_is_judged_by_the_price_of_the_moment() -> None:
    """Or by the money that it is to cost; nothing is refused for a cost that is not known."""
    market = CreatePayload(symbol="KCS/USDT", side="sell", type="market", amount_base=D("0.3"), price=D(1))
    assert refusals(SPOT, market) == []
    assert refusals(SPOT, market, D(10)) == ["cost 3 is below the least cost of KCS/USDT, 5 USDT"]
    assert refusals(SPOT, market, D(20)) == []
    money = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_quote=D("4.999"))
    assert refusals(SPOT, money) == [
        "amountQuote 4.999 would be rounded: the quote step of KCS/USDT is 0.01",
        "cost 4.999 is below the least cost of KCS/USDT, 5 USDT",
    ]


def test_terms_travel_as_exact_text_and_what_is_not_stated_is_absent() -> None:
    """In a status, whose readers get the same terms; without terms a status has no such field."""
    terms = MarketTerms("KCS", "USDT", tick_size=D("1e-8"), min_cost=D("5E+1"))
    said = Status("live", market=terms)
    text = encode(said.as_text())
    assert text == (
        b'{"status":"live","reason":null,"market":{"base":"KCS","quote":"USDT","tickSize":"0.00000001","minCost":"50"}}'
    )
    assert msgspec.json.decode(text, type=Status) == said
    assert terms_of(encode(terms_as_text(terms)).decode()) == terms
    assert encode(Status("live").as_text()) == b'{"status":"live","reason":null}'


@pytest.mark.parametrize("size", ["0", "-1", "NaN", "Infinity", "1e999999"])
def test_a_size_that_is_none_is_unreadable(size: str) -> None:
    """Nothing may be divided by it, nor rounded to it."""
    for name in ("tickSize", "amountStep", "minAmount", "minCost", "contractSize"):
        assert terms_of(f'{{"base":"A","quote":"B","{name}":"{size}"}}') is None
