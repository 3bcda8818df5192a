"""Bitget's own way."""

from collections.abc import Callable
from typing import Any


async def test_an_edit_names_the_order_that_it_replaces(recorded: Callable[..., Any]) -> None:
    """Bitget places a new order; our id is that of the old one."""
    exchange = recorded("bitget")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path.endswith("cancel-replace-order")
    assert sent["clientOid"] == exchange.client_order_id
