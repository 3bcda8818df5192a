"""MEXC's own way."""

from collections.abc import Callable
from typing import Any

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,32}"


def test_ccxt_does_not_notice_a_gap_in_a_book(recorded: Callable[..., Any], socket: Any) -> None:
    """As long as this holds, millrace compares the numbers itself."""
    exchange = recorded("mexc")
    book = exchange.ccxt.orderbooks[exchange.symbol] = exchange.ccxt.order_book({})
    book["nonce"] = 10
    frame = {"asks": [], "bids": [{"price": "1", "quantity": "1"}], "fromVersion": "98", "toVersion": "99"}
    exchange.ccxt.handle_order_book(socket, {"symbol": "BTCUSDT", "sendTime": "1", "publicAggreDepths": frame})
    assert (socket.books, book["nonce"]) == (1, 98)
    assert exchange.profile.book.checked_by == "millrace"
