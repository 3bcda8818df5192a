"""Kraken's own way."""

from collections.abc import Callable
from typing import Any

import pytest
from ccxt.base.errors import OrderNotFound

CLIENT_ORDER_ID_FORM = r"[0-9a-f]{32}"
EDIT_PARAMETER = "cl_ord_id"

LEVELS = [{"price": 100.5 + level, "qty": 0.25} for level in range(10)]
BOOK = {
    "channel": "book",
    "type": "snapshot",
    "data": [{"symbol": "BTC/USDT", "bids": LEVELS, "asks": LEVELS, "checksum": 1}],
}


async def test_an_order_that_is_there_is_not_found_by_our_id(recorded: Callable[..., Any]) -> None:
    """An OrderNotFound proves nothing: ccxt looks for the empty id in Kraken's answer."""
    exchange = recorded("kraken")
    exchange.answer = {"error": [], "result": {"OABC": {"cl_ord_id": exchange.client_order_id, "status": "open"}}}
    with pytest.raises(OrderNotFound):
        await exchange.ccxt.fetch_order("", exchange.symbol, exchange.params)
    assert exchange.sent_ids == {"userref"}


def test_the_checksum_of_ccxt_cannot_be_switched_on(recorded: Callable[..., Any], socket: Any) -> None:
    """As long as this fails in ccxt, millrace computes the checksum itself."""
    recorded("kraken").ccxt.handle_order_book(socket, BOOK)
    checking = recorded("kraken", {"watchOrderBook": {"checksum": True}})
    with pytest.raises(AttributeError, match="split"):
        checking.ccxt.handle_order_book(socket, BOOK)
    assert checking.profile.book.checked_by == "millrace"
