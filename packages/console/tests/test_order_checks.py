"""What is checked of an order before it is sent."""

import pytest

from millrace_console.display.ladder import Scale
from millrace_console.markets import Market
from millrace_console.pages.orders.checks import Checked, Sight, Ticket, check_edit, check_new, currencies, read_number

MARKET = Market.parse("StrankaXY.binance.KCS/USDT")
SIGHT = Sight((12.498, 5.0), (12.5, 4.0), Scale(3, 2))
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
