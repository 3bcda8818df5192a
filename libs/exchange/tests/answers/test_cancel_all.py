"""A cancel-all is done when no order is open any more, on exchanges with a request for it and without."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from libs.exchange.tests.answers.conftest import Account, market_of
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import cancel_all, outcome_of

from millrace_core.requests import CancelAllPayload
from millrace_exchange import Acknowledgement, OutcomeUnknown
from millrace_exchange.profile import RateLimit, RequestLimits

REFUSED = {"code": "2", "msg": "", "data": [{"ordId": "2", "sCode": "51400", "sMsg": "Cancellation failed"}]}


class Okx:
    """Some open orders; canceled ones are open no more, but for those that it does not cancel."""

    def __init__(self, keeps: frozenset[str] = frozenset(), symbol: str = "BTCUSDT", count: int = 3) -> None:
        self.open = [str(number) for number in range(1, count + 1)]
        self._keeps = keeps
        self._symbol = symbol

    def answer(self, request: bytes) -> Reply:
        """Answer the question for the open orders, or a request to cancel some."""
        if b"orders-pending" in request:
            rows = [self._row(order_id) for order_id in self.after(request)[:100]]
            return _reply({"code": "0", "msg": "", "data": rows})
        ids = [each["ordId"] for each in json.loads(request[request.index(b"[") :])]
        self.open = [each for each in self.open if each not in ids or each in self._keeps]
        done = [{"ordId": each, "clOrdId": "", "sCode": "0", "sMsg": ""} for each in ids if each not in self._keeps]
        return _reply({**REFUSED, "data": [*done, *REFUSED["data"]]} if self._keeps else {"code": "0", "data": done})

    def after(self, request: bytes) -> list[str]:
        """Return the open orders, newest first, from where a question begins."""
        named = re.search(rb"after=(\d+)", request)
        return [each for each in reversed(self.open) if named is None or int(each) < int(named[1])]

    def _row(self, order_id: str) -> dict[str, Any]:
        terms = {"px": "20", "sz": "1", "accFillSz": "0", "side": "buy", "ordType": "limit", "state": "live"}
        return {"instId": self._symbol, "instType": "SPOT", "ordId": order_id, "cTime": "1700000000000", **terms}


class Binance:
    """An open order of each symbol; one cannot be canceled, for it is not traded at the moment."""

    def __init__(self, closed: bytes, reply: Reply) -> None:
        self.open = ["AAAUSDT", "BTCUSDT", "CCCUSDT"]
        self._closed = closed
        self._reply = reply

    def answer(self, request: bytes) -> Reply:
        """Answer the question for the open orders, or a request to cancel those of one symbol."""
        named = re.search(rb"symbol=(\w+)", request)
        if request.startswith(b"GET"):
            return _reply([self._row(each) for each in self.open if named is None or each == named[1].decode()])
        assert named is not None
        if named[1] == self._closed:
            return self._reply
        self.open.remove(named[1].decode())
        return _reply([{**self._row(named[1].decode()), "status": "CANCELED"}])

    def _row(self, symbol: str) -> dict[str, Any]:
        terms = {"side": "BUY", "type": "LIMIT", "status": "NEW", "price": "20", "origQty": "1", "executedQty": "0"}
        return {"symbol": symbol, "orderId": 7, "time": 1700000000000, **terms}


def _reply(body: Any) -> Reply:
    return Reply(json.dumps(body).encode())


async def test_listed_orders_are_canceled_in_batches_where_no_request_cancels_all(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """OKX has none in ccxt: its open orders are asked for, canceled, and asked for again."""
    venue = Okx()
    server.answer = venue.answer
    assert isinstance(await outcome_of(account("okx"), cancel_all), Acknowledgement)
    assert venue.open == []
    assert len(server.requests) == 3


async def test_orders_beyond_the_first_list_are_canceled_too(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """An exchange lists so many at a time: a full list is followed by another."""
    venue = Okx(count=230)
    server.answer = venue.answer
    assert isinstance(await outcome_of(account("okx"), cancel_all), Acknowledgement)
    assert venue.open == []


async def test_orders_that_stay_open_are_not_called_canceled(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """The others are canceled nevertheless, and the answer says how many are left."""
    venue = Okx(keeps=frozenset({"2"}))
    server.answer = venue.answer
    outcome = await outcome_of(account("okx"), cancel_all)
    assert isinstance(outcome, OutcomeUnknown)
    assert "1 orders of BTC/USDT are still open" in str(outcome)
    assert venue.open == ["2"]


HALTED = Reply(b'{"code":-1013,"msg":"Market is closed."}', 400)
AWAY = Reply(b"<html>", 503, "text/html")


@pytest.mark.parametrize("closed", [b"AAAUSDT", b"BTCUSDT", b"CCCUSDT"])
@pytest.mark.parametrize("reply", [HALTED, AWAY])
async def test_a_symbol_whose_orders_cannot_be_canceled_keeps_no_others_open(
    closed: bytes, reply: Reply, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Each symbol takes a request of its own. All are tried, and what is left is said."""
    venue, ours = Binance(closed, reply), account("binance")
    server.answer = venue.answer
    others = (("AAA/USDT", "AAAUSDT"), ("CCC/USDT", "CCCUSDT"))
    ours.ccxt.set_markets([market_of(ours.ccxt, ours.symbol), *(ours.market(*each) for each in others)])
    outcome = await outcome_of(ours, lambda each: each.cancel_all_orders(CancelAllPayload()))
    assert isinstance(outcome, OutcomeUnknown)
    assert venue.open == [closed.decode()]
    assert {order.symbol for order in outcome.canceled} == {"AAA/USDT", "BTC/USDT", "CCC/USDT"} - {
        f"{closed.decode()[:3]}/USDT"
    }


async def test_orders_are_canceled_though_a_request_for_some_of_them_is_not_answered(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """OKX takes ten in a request: the ten of the next are canceled nevertheless."""
    venue, asked = Okx(count=30), list[bytes]()

    def answer(request: bytes) -> Reply:
        if b"cancel-batch" in request:
            asked.append(request)
            if len(asked) == 2:
                return Reply(b"", 502)
        return venue.answer(request)

    server.answer = answer
    outcome = await outcome_of(account("okx"), cancel_all)
    assert isinstance(outcome, OutcomeUnknown)
    assert len(venue.open) == 10


async def test_more_orders_are_canceled_than_the_limits_allow_at_once(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """What a limit holds back waits its turn, as long as the limit's own window: the others are canceled already."""
    venue, ours = Okx(count=230), account("okx")
    server.answer = venue.answer
    limits = RequestLimits(limits=(RateLimit(name="User ID", scope="account", weight=5, window_ms=250),))
    ours._caller.profile = ours.ccxt.profile = replace(ours.profile, requests=limits)
    outcome = await outcome_of(ours, cancel_all)
    assert isinstance(outcome, Acknowledgement), outcome
    assert venue.open == []


@pytest.mark.parametrize("is_open", [True, False])
async def test_an_answer_that_names_no_order_is_checked(
    is_open: bool, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """KuCoin says "success": whether an order is open is asked."""
    row = {"id": "7", "symbol": "BTCUSDT", "active": True, "size": "1", "price": "20", "side": "buy", "createdAt": 1}
    listed = _reply({"code": "200000", "data": [row] if is_open else []})
    server.answer = lambda request: (
        listed if request.startswith(b"GET") else _reply({"code": "200000", "data": "success"})
    )
    outcome = await outcome_of(account("kucoin"), cancel_all)
    assert isinstance(outcome, OutcomeUnknown if is_open else Acknowledgement)


async def test_one_symbol_is_canceled_where_the_exchanges_request_cancels_all(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Kraken's and Bitfinex's requests know no symbol: their orders are canceled one by one."""
    for exchange in ("kraken", "bitfinex"):
        server.requests.clear()
        server.reply = _reply({"error": [], "result": {"open": {}}} if exchange == "kraken" else [])
        ours = account(exchange)
        canceled = await ours.cancel_all_orders(CancelAllPayload(symbol=ours.symbol))
        assert canceled.orders == ()
        assert not any(b"ancelAll" in request or b"multi" in request for request in server.requests)
