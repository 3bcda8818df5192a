"""HitBTC's own way."""

from collections.abc import Callable
from typing import Any

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9]{8,32}"
EDIT_PARAMETER = "client_order_id"


async def test_an_order_that_is_not_there_is_no_error(recorded: Callable[..., Any]) -> None:
    """An empty history becomes an order without an id, which proves nothing."""
    exchange = recorded("hitbtc")
    exchange.answer = []
    order = await exchange.ccxt.fetch_order("", exchange.symbol, exchange.params)
    assert order["id"] is None
    assert exchange.sent_ids == {"clientOrderId", "client_order_id"}
