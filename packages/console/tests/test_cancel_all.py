"""What a person reads before all orders of a market are canceled."""

import pytest

from millrace_console.pages.orders.canceling import COUNTED, cancel_all_words


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
