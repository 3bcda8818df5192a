"""An exchange's own way to say that there is nothing is believed; profiles say how each does."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import (
    EXCHANGES,
    balance,
    closed_orders,
    fetch_order,
    fetch_order_by_our_id,
    my_trades,
    open_orders,
    outcome_of,
)

from millrace_exchange import Retryable

_OK: Final = {"code": "200000"}
NO_ROWS: Final[dict[str, Any]] = {
    "binance": [],
    "binanceusdm": [],
    "bitfinex": [],
    "bitget": {"code": "00000", "msg": "success", "data": []},
    "bybit": {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": "", "category": "spot"}},
    "coinbase": {"orders": [], "fills": [], "has_next": False, "cursor": ""},
    "gate": [],
    "hitbtc": [],
    "htx": {"status": "ok", "data": []},
    "hyperliquid": [],
    "kraken": {"error": [], "result": {"open": {}, "closed": {}, "trades": {}, "count": 0}},
    "kucoin": {**_OK, "data": {"items": [], "lastId": 0}},
    "kucoinfutures": {**_OK, "data": {"items": [], "totalNum": 0}},
    "mexc": [],
    "okx": {"code": "0", "msg": "", "data": []},
}
"""Answers as ccxt's own source shows them, without rows."""
NO_BALANCES: Final[dict[str, Any]] = NO_ROWS | {
    "binance": {"makerCommission": 10, "balances": []},
    "binanceusdm": {"assets": [], "positions": []},
    "coinbase": {"accounts": [], "has_next": False},
    "htx": {"status": "ok", "data": {"id": 1, "type": "spot", "state": "working", "list": []}},
    "hyperliquid": {"balances": [], "assetPositions": []},
    "kraken": {"error": [], "result": {}},
    "kucoin": {**_OK, "data": []},
    "mexc": {"balances": []},
    "okx": {"code": "0", "msg": "", "data": [{"details": [], "totalEq": "0", "uTime": "1700000000000"}]},
}


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_an_exchange_may_say_that_there_is_nothing(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Without this, a cancel-all would never be done, and an order that was never placed would stay unknown."""
    ours = account(exchange)
    server.reply = Reply(json.dumps(NO_ROWS[ours.profile.exchange]).encode())
    assert [await outcome_of(ours, question) for question in (open_orders, closed_orders, my_trades)] == [[], [], []]
    # KuCoin's futures answer with one balance, never with none.
    if exchange != "kucoinfutures":
        server.reply = Reply(json.dumps(NO_BALANCES[ours.profile.exchange]).encode())
        assert await outcome_of(ours, balance) == {}


async def test_a_list_without_the_order_says_that_there_is_none(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """HitBTC answers with a list; elsewhere an empty one in the place of an order is no answer."""
    server.reply = Reply(b"[]")
    hitbtc, binance = account("hitbtc"), account("binance")
    assert [await outcome_of(hitbtc, question) for question in (fetch_order, fetch_order_by_our_id)] == [None, None]
    assert isinstance(await outcome_of(binance, fetch_order), Retryable)
