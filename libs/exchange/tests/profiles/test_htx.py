"""HTX's own way."""

from collections.abc import Callable
from typing import Any

import pytest
from ccxt.base.errors import ChecksumError


async def test_an_edit_is_two_requests(recorded: Callable[..., Any]) -> None:
    """An order is canceled first and then created again under our new id: the second request may fail alone."""
    exchange = recorded("htx")
    exchange.ccxt.accounts = [{"id": "1", "type": "spot"}]
    exchange.answer = {"status": "ok", "data": "1"}
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [cancel, create] = [path for path, _ in exchange.sent if "order/orders" in path]
    assert cancel.endswith("submitcancel")
    assert create.endswith("place")
    assert exchange.sent[-1][1]["client-order-id"] == exchange.client_order_id


def test_a_gap_ends_the_reading_of_the_socket(recorded: Callable[..., Any], socket: Any) -> None:
    """An exception leaves ccxt's handler of messages, after which it reads no more: the gap shows as silence."""
    exchange = recorded("htx")
    book = exchange.ccxt.orderbooks[exchange.symbol] = exchange.ccxt.order_book({})
    book["nonce"] = 10
    tick = {"seqNum": 30, "prevSeqNum": 20, "bids": [], "asks": []}
    with pytest.raises(ChecksumError):
        exchange.ccxt.handle_message(socket, {"ch": "market.BTCUSDT.mbp.150", "ts": 1, "tick": tick})
    assert (socket.books, book["nonce"]) == (0, 10)
