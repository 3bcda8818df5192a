"""Coinbase's own way."""

from collections.abc import Callable
from typing import Any

CLIENT_ORDER_ID_FORM = r".{1,36}"


async def test_orders_are_asked_for_by_coinbase_s_id_alone(recorded: Callable[..., Any]) -> None:
    """The order's id stays empty in the path whatever parameters say: the answer would prove nothing."""
    exchange = recorded("coinbase")
    await exchange.ccxt.fetch_order("", exchange.symbol, exchange.params)
    [(_, sent)] = exchange.sent
    assert sent["order_id"] == ""
    assert not exchange.profile.client_order_ids.fetches


async def test_a_new_order_carries_our_id_under_coinbase_s_name(recorded: Callable[..., Any]) -> None:
    """The name `client_order_id` is Coinbase's own; ccxt would send an id of its own otherwise."""
    exchange = recorded("coinbase")
    exchange.answer = {"success": True, "success_response": {"order_id": "1"}}
    await exchange.ccxt.create_order(exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    assert "client_order_id" in exchange.sent_ids
