"""What is checked of an order before it is sent."""

from dataclasses import replace
from decimal import Decimal

import pytest

from millrace_console.display.ladder import Scale
from millrace_console.markets import Market
from millrace_console.pages.orders.checks import (
    Checked,
    Sight,
    Ticket,
    check_edit,
    check_new,
    currencies,
    read_number,
    terms_text,
)
from millrace_core.market_terms import MarketTerms

MARKET = Market.parse("StrankaXY.binance.KCS/USDT")
SIGHT = Sight((12.498, 5.0), (12.5, 4.0), Scale(3, 2))
TERMS = MarketTerms(
    base="KCS", quote="USDT", tick_size=Decimal("0.005"), amount_step=Decimal("0.1"), min_amount=Decimal("0.5"),
    min_cost=Decimal(10),
)  # fmt: skip
KNOWN = replace(SIGHT, terms=TERMS)
ORDER = {"id": "7", "symbol": "KCS/USDT", "side": "buy", "amount": "2", "price": "12.4", "filled": "0.5"}


def _ticket(**changed: object) -> Ticket:
    assert MARKET is not None
    terms = {"side": "buy", "type": "limit", "amount": "2", "price": "12.4"} | changed
    return Ticket("StrankaXY", MARKET, **terms)  # type: ignore[arg-type]


def test_a_right_order_is_sent_as_it_was_typed_and_said_in_words() -> None:
    """Digits stay; the words name what, where, for whom, at which price, and the whole."""
    checked = check_new(_ticket(amount="2.50", post_only=True), SIGHT)
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.body == {
        "exchangeId": "binance",
        "payload": {
            "symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": "2.50", "price": "12.4",
            "timeInForce": "GTC", "postOnly": True,
        },
    }  # fmt: skip
    for part in ("Buy 2.50 KCS", "binance", "StrankaXY", "at most 12.4 USDT", "31.000 USDT in all", "post-only"):
        assert part in checked.words


def test_a_market_order_names_the_price_that_it_expects() -> None:
    """Risk limits are checked by it; without a book nobody knows what it would pay."""
    checked = check_new(_ticket(type="market", side="sell", price="ignored"), SIGHT)
    assert checked.body["payload"]["price"] == "12.498"
    assert "at whatever price" in checked.words
    assert check_new(_ticket(type="market"), Sight(None, None, Scale(0, 0))).problems


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"amount": ""}, "Amount is missing"),
        ({"amount": "much"}, "'much' is not a number"),
        ({"amount": "nan"}, "not a number"),
        ({"amount": "1,5"}, "'1,5' is not a number"),
        ({"amount": "1,500"}, "may mean 1500 or 1.500"),
        ({"price": "12,4999"}, "'12,4999' is not a number"),
        ({"amount": "-1"}, "above zero"),
        ({"price": "0"}, "Price must be above zero"),
        ({"type": "market", "post_only": True}, "cannot be post-only"),
    ],
)
def test_what_would_certainly_be_refused_is_not_sent(changed: dict[str, object], problem: str) -> None:
    """Each mistake says what is wrong, and there is no request."""
    checked = check_new(_ticket(**changed), SIGHT)
    assert problem in " ".join(checked.problems)
    assert checked.body == {}


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"price": "12.4001"}, "more than the 3 decimals"),
        ({"amount": "1.001"}, "more than the 2 decimals"),
        ({"price": "12.5"}, "executes at once"),
        ({"price": "12.6", "post_only": True}, "post-only will be refused"),
        ({"side": "sell", "price": "12.498"}, "executes at once"),
        ({"price": "1.24"}, "90 % away"),
    ],
)
def test_what_may_be_a_slip_is_said_before_it_is_sent(changed: dict[str, object], warning: str) -> None:
    """It can be sent all the same."""
    checked = check_new(_ticket(**changed), SIGHT)
    assert warning in " ".join(checked.warnings)
    assert checked.body


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"price": "12.403"}, "price 12.403 would be rounded: the tick of KCS/USDT is 0.005"),
        ({"amount": "2.05"}, "Amount 2.05 would be rounded: the lot of KCS/USDT is 0.1"),
        ({"amount": "0.4"}, "below the least amount of KCS/USDT, 0.5"),
        ({"amount": "0.6"}, "Cost 7.44 is below the least cost of KCS/USDT, 10 USDT"),
        ({"type": "market", "amount": "0.7"}, "Cost 8.75 is below the least cost"),
    ],
)
def test_what_the_markets_terms_exclude_is_not_sent(changed: dict[str, object], problem: str) -> None:
    """It is said as the form calls its fields; the book's decimals are no judge where the terms are known."""
    checked = check_new(_ticket(**changed), KNOWN)
    assert problem.lower() in " ".join(checked.problems).lower()
    assert (checked.body, checked.warnings) == ({}, [])
    assert check_new(_ticket(), KNOWN).body


def test_the_next_order_that_would_be_taken_is_offered() -> None:
    """Where rounding is enough: a sell's price is rounded up."""
    checked = check_new(_ticket(side="sell", amount="2.05", price="12.501"), KNOWN)
    assert checked.next == (Decimal("12.505"), Decimal("2.0"))
    assert check_new(_ticket(amount="0.4"), KNOWN).next is None


def test_an_edit_is_held_to_the_markets_terms() -> None:
    """As a new order is."""
    checked = check_edit(ORDER, "2", "12.451", KNOWN)
    assert checked.problems == ["Price 12.451 would be rounded: the tick of KCS/USDT is 0.005."]
    assert "least cost" in check_edit(ORDER, "0.6", "12.4", KNOWN).problems[0]
    assert check_edit(ORDER, "2", "12.45", KNOWN).body == {"price": "12.45"}


def test_the_terms_are_said_in_words() -> None:
    """What the exchange does not state is not said."""
    expected = "prices in steps of 0.005, amounts in steps of 0.1, at least 0.5 KCS, worth at least 10 USDT"
    assert terms_text(TERMS) == f"The exchange takes {expected}."
    assert terms_text(MarketTerms(base="KCS", quote="USDT")) == terms_text(None) == ""


def test_an_edit_sends_only_what_changed() -> None:
    """The words repeat the old and the new terms."""
    checked = check_edit(ORDER, "2.0", "12.45", SIGHT)
    assert checked.body == {"price": "12.45"}
    assert "from 2 KCS at 12.4 USDT to 2.0 KCS at 12.45 USDT" in checked.words
    assert check_edit(ORDER, "2", "12.40", SIGHT).problems == ["Nothing has changed."]
    assert "filled already" in check_edit(ORDER, "0.5", "12.45", SIGHT).problems[0]


def test_numbers_may_be_grouped() -> None:
    """As they are shown."""
    found = Checked()
    assert str(read_number(" 1,234.50 ", "Price", 2, found)) == "1234.50"
    assert (found.problems, found.warnings) == ([], [])


def test_the_currencies_of_a_symbol() -> None:
    """A contract's settlement is no part of its price."""
    assert currencies("BTC/USDT:USDT") == ("BTC", "USDT")
    assert currencies("XYZ") == ("XYZ", "")
