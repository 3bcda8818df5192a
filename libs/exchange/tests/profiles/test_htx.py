"""HTX's own way."""

from collections.abc import Callable
from typing import Any


async def test_an_edit_is_two_requests(recorded: Callable[..., Any]) -> None:
    """An order is canceled first and then created anew under our new id: the second request may fail alone."""
    exchange = recorded("htx")
    exchange.ccxt.accounts = [{"id": "1", "type": "spot"}]
    exchange.answer = {"status": "ok", "data": "1"}
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [cancel, create] = [path for path, _ in exchange.sent if "order/orders" in path]
    assert cancel.endswith("submitcancel")
    assert create.endswith("place")
    assert exchange.sent[-1][1]["client-order-id"] == exchange.client_order_id
