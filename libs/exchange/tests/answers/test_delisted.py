"""Orders in a market that the exchange lists no more: it is asked without the market, and says what became of them."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.records import ID, RECORDS, TIME_MS
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_empty_lists import NO_ROWS

from millrace_core.clock import DAY_MS, now_ms
from millrace_core.orders import Order

GONE: Final = "BTC/USDT"
BY_ID: Final = ("bitfinex", "coinbase", "htx", "kraken")
BY_LIST: Final = {"binance": None, "bitget": "history", "bybit": None, "gate": None, "okx": "history"}
"""With the part of the path under which orders are listed that ended, where that needs no market either."""


@pytest.fixture
def delisted(account: Callable[[str], Account]) -> Callable[[str], Any]:
    """Return the question for the order in a market that is gone, on an exchange."""

    def asking(exchange: str) -> Any:
        ours = account(exchange)
        ours.ccxt.set_markets([ours.market("ETH/USDT", "ETHUSDT")])
        return lambda symbol=GONE: ours.fetch_delisted_orders(symbol, [ID], now_ms() - DAY_MS)

    return asking


def reply(content: Any, status: int = 200) -> Reply:
    """Return an answer, of this moment."""
    return Reply(json.dumps(content).replace(str(TIME_MS), str(now_ms())).encode(), status)


def said(found: dict[str, Order | None]) -> Any:
    """Return what matters of what was found."""
    return {key: order and (order.symbol, order.status, order.filled) for key, order in found.items()}


@pytest.mark.parametrize("exchange", BY_ID)
async def test_an_order_is_asked_for_by_its_id(
    delisted: Callable[[str], Any], server: ScriptedServer, exchange: str
) -> None:
    """Where that takes no market."""
    records = RECORDS[exchange]
    server.reply = reply(records.one(records.canceled))
    assert said(await delisted(exchange)()) == {ID: (GONE, "canceled", Decimal(4))}


@pytest.mark.parametrize("exchange", sorted(BY_LIST))
async def test_the_lists_of_the_account_are_asked_elsewhere(
    delisted: Callable[[str], Any], server: ScriptedServer, exchange: str
) -> None:
    """An order is open if it is listed so; else its end is listed, or it is known that it is open no more."""
    records, ask = RECORDS[exchange], delisted(exchange)

    def answer(request: bytes) -> Reply:
        is_of_ended = b"openOrders" not in request and BY_LIST[exchange] in request.decode()  # type: ignore[operator]
        return reply(records.several(records.canceled) if is_of_ended else NO_ROWS[exchange])

    server.reply = reply(NO_ROWS[exchange])
    assert said(await ask()) == {ID: None}
    if BY_LIST[exchange] is not None:
        server.answer = answer
        assert said(await ask()) == {ID: (GONE, "canceled", Decimal(4))}
        server.answer = lambda _: server.reply
    if exchange != "gate":  # whose list is one of lists by market
        server.reply = reply(records.several(records.order))
        assert said(await ask()) == {ID: (GONE, "open", Decimal(4))}


@pytest.mark.parametrize(
    ("exchange", "symbol", "kind"),
    [
        ("bybit", GONE, b"category=spot"),
        ("bybit", "BTC/USDT:USDT", b"category=linear"),
        ("okx", GONE, b"instType=SPOT"),
        ("okx", "BTC/USDT:USDT", b"instType=SWAP"),
    ],
)
async def test_orders_that_ended_are_asked_for_of_the_kind_of_the_market(
    exchange: str, symbol: str, kind: bytes, delisted: Callable[[str], Any], server: ScriptedServer
) -> None:
    """Else one would be taken for an order of which nothing is known, without its last fills."""
    records = RECORDS[exchange]

    def answer(request: bytes) -> Reply:
        is_of_ended = kind in request and b"history" in request
        return reply(records.several(records.canceled) if is_of_ended else NO_ROWS[exchange])

    server.answer = answer
    # ccxt calls one that Bybit canceled after a fill closed.
    status = "closed" if exchange == "bybit" else "canceled"
    assert said(await delisted(exchange)(symbol)) == {ID: (symbol, status, Decimal(4))}


async def test_nothing_is_proved_where_the_exchange_cannot_be_asked(
    delisted: Callable[[str], Any], server: ScriptedServer
) -> None:
    """Because it wants the market named, its list is of other markets or cut, or the order is one in another market."""
    server.reply = reply({"code": 700004, "msg": "Param 'symbol' not present"}, 400)
    assert await delisted("mexc")() == {}
    server.reply = reply(NO_ROWS["binance"])
    assert await delisted("binance")("BTC/USDT:USDT") == {}
    server.reply = reply([{**RECORDS["binance"].order, "symbol": "ETHUSDT"}])
    assert said(await delisted("binance")()) == {ID: None}
    many = [{**RECORDS["okx"].order, "ordId": str(int(ID) + number)} for number in range(1, 101)]
    server.reply = reply({"code": "0", "msg": "", "data": many})  # and the same as the next page
    assert await delisted("okx")() == {}
    kraken = RECORDS["kraken"]
    server.reply = reply(kraken.one({**kraken.order, "descr": {**kraken.order["descr"], "pair": "ETHUSDT"}}))
    assert await delisted("kraken")() == {}
