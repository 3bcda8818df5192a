"""What a person reads before all orders of a market, or of a strategy, are canceled, and afterwards."""

import pytest

from millrace_console.pages.orders.canceling import COUNTED, cancel_all_words
from millrace_console.pages.orders.canceling_source import MOST, outcome, source_words

ORDER = {"exchange": "binance", "symbol": "KCS/USDT"}


@pytest.mark.parametrize(
    ("symbol", "open_orders", "said"),
    [
        ("KCS/USDT", 3, "of StrankaXY on binance for KCS/USDT (3 open now)"),
        ("", 0, "of StrankaXY on binance, of every symbol (0 open now)"),
        ("", COUNTED, "(200 or more open now)"),
        ("", None, "(how many are open is not known)"),
    ],
)
def test_the_confirmation_says_whose_orders_and_how_many(symbol: str, open_orders: int | None, said: str) -> None:
    """A number that is not known is never shown as zero."""
    assert said in cancel_all_words("StrankaXY", "binance", symbol, open_orders)


def test_the_confirmation_for_one_source_names_how_many_and_where() -> None:
    """Nothing is promised of orders that were not listed."""
    assert source_words("StrankaXY", "PingPong", []) == "PingPong has no open order for StrankaXY here."
    assert "1 open order of PingPong for StrankaXY: KCS/USDT on binance." in source_words(
        "StrankaXY", "PingPong", [ORDER]
    )
    assert f"the {MOST} newest open orders of PingPong" in source_words("StrankaXY", "PingPong", [ORDER] * MOST)


def test_what_was_not_canceled_is_said() -> None:
    """The first ones with their reasons, the others counted."""
    assert outcome(3, []) == "● Done: 3 orders canceled."
    said = outcome(9, [f"{number}: OrderNotFound" for number in range(7)])
    assert said.startswith("✖ 2 of 9 orders canceled. Not canceled:\n0: OrderNotFound")
    assert said.endswith("and 2 more")
