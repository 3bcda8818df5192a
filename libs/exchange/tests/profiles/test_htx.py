"""HTX's own way."""

from collections.abc import Callable
from typing import Any

from millrace_core.names import ExchangeId
from millrace_exchange.profiles import profile_of

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,64}"
EDIT_PARAMETER = "client-order-id"
FORMER_NAMES = {"huobi"}


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


def test_what_follows_a_gap_is_left_out(recorded: Callable[..., Any], socket: Any) -> None:
    """With its exception off, ccxt applies nothing that does not follow: millrace says why, for that book alone."""
    exchange = recorded("htx", dict(profile_of(ExchangeId("htx")).book.ccxt_options))
    book = exchange.ccxt.orderbooks[exchange.symbol] = exchange.ccxt.order_book({})
    book["nonce"] = 10
    tick = {"seqNum": 30, "prevSeqNum": 20, "bids": [[1.0, 1.0]], "asks": []}
    exchange.ccxt.handle_message(socket, {"ch": "market.BTCUSDT.mbp.150", "ts": 1, "tick": tick})
    assert (book["nonce"], book["bids"]) == (10, [])
