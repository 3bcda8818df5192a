"""Bitfinex's own way."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ccxt.base.errors import InvalidOrder

from millrace_core.requests import CreatePayload
from millrace_exchange.ccxt.market_rules import CcxtMarketRules
from millrace_exchange.profiles.bitfinex import PROFILE

CLIENT_ORDER_ID_FORM = r"\d{1,14}"


def test_our_id_is_a_number_of_45_bits() -> None:
    """Bitfinex takes nothing else; ccxt hands on what it is given."""
    ids = PROFILE.client_order_ids
    assert ids.params(ids.of("f" * 32)) == {"clientOrderId": 2**45 - 1}  # type: ignore[arg-type]


async def test_ccxt_cannot_cancel_by_our_id_alone(recorded: Callable[..., Any]) -> None:
    """The day of the order would be needed too."""
    exchange = recorded("bitfinex")
    with pytest.raises(InvalidOrder):
        await exchange.ccxt.cancel_order("", exchange.symbol, exchange.params)


def test_after_a_wrong_checksum_ccxt_takes_a_change_for_a_book(recorded: Callable[..., Any], socket: Any) -> None:
    """As long as this holds, millrace computes the checksum itself, and ccxt never sees one."""
    exchange = recorded("bitfinex")
    subscription = {"symbol": "BTCUSDT", "prec": "P0", "len": "25"}
    socket.subscriptions["book:BTCUSDT"] = subscription
    exchange.ccxt.handle_order_book(socket, [1, [[100.5, 1, 0.25], [101, 1, -0.00001]]], subscription)
    exchange.ccxt.handle_checksum(socket, [1, "cs", 1], subscription)
    exchange.ccxt.handle_order_book(socket, [1, [100.4, 1, 0.5]], subscription)
    assert socket.errors == ["ChecksumError"]
    assert exchange.ccxt.orderbooks[exchange.symbol]["bids"] == []


def test_a_market_that_is_listed_as_a_list_has_rules(recorded: Callable[..., Any]) -> None:
    """Bitfinex lists no objects, and its orders were never sent because of that."""
    exchange = recorded("bitfinex")
    exchange.ccxt.markets[exchange.symbol]["info"] = ["x", None, "0.00006", "2000"]
    exchange.ccxt.markets[exchange.symbol]["precision"] = {"amount": 8, "price": 5}
    order = CreatePayload(
        symbol=exchange.symbol, side="buy", type="limit", amount_base=Decimal("0.5"), price=Decimal("100.5")
    )
    assert CcxtMarketRules(exchange.ccxt).precision_errors(order) == []
