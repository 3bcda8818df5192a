"""The open orders of an account that trades in several kinds of markets: those that no list of all holds."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from unittest.mock import AsyncMock

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.records import ID, RECORDS
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_empty_lists import NO_ROWS
from libs.exchange.tests.answers.test_faulty_answers import outcome_of

from millrace_core.requests import CancelAllPayload, CreatePayload
from millrace_exchange import Acknowledgement, IncompleteList, Rejected
from millrace_exchange.profiles import profiles

SPOT: Final = "BTC/USDT"
CONTRACT: Final = "BTC/USDT:USDT"
OTHER: Final = "ETH/USDT:USDT"
SEVERAL_KINDS: Final = sorted(
    {profile.exchange for profile in profiles().values()} - {"binanceusdm", "kucoinfutures", "kraken"}
)
LISTED_APART: Final = {
    "binance": "/fapi/v1/openOrders",
    "bitget": "/api/v2/mix/order/orders-pending",
    "gate": "/api/v4/futures/USDT/orders",
    "hitbtc": "/api/3/futures/order",
    "htx": "/v5/trade/order/opens",
    "kucoin": "/api/v1/orders",
    "mexc": "/api/v1/private/order/list/open_orders",
}
"""Where contracts are asked for if the list of spot orders leaves them out."""
NO_CONTRACTS: Final[dict[str, Any]] = NO_ROWS | {
    "bitget": {"code": "00000", "msg": "success", "data": {"entrustedList": None, "endId": None}},
    "htx": {"code": 200, "message": "Success", "data": [], "ts": 1_700_000_000_000},
    "mexc": {"success": True, "code": 0, "data": []},
}
NEW: Final = {**RECORDS["binanceusdm"].order, "status": "NEW", "executedQty": "0", "side": "BUY", "origQty": "10"}
FORBIDDEN: Final = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}


class Binance:
    """Open orders of one number on spot and in a contract, and the key's permission for contracts."""

    def __init__(self) -> None:
        self.is_open = {"/api/": True, "/fapi/": False}
        self.is_allowed = True

    def answer(self, request: bytes) -> Reply:
        """Answer a question for the open orders, an order or a cancel-all."""
        method, path, _ = request.decode().split(" ", 2)
        kind = "/fapi/" if "/fapi/" in path else "/api/"
        if kind == "/fapi/" and not self.is_allowed:
            return _reply(FORBIDDEN, 401)
        record: Any = NEW if kind == "/fapi/" else RECORDS["binance"].order
        if "openorders" in path.lower():
            is_open = self.is_open[kind]
            self.is_open[kind] &= method != "DELETE"
            if method == "DELETE" and kind == "/fapi/":
                return _reply({"code": 200, "msg": "The operation of cancel all open order is done."})
            return _reply([{**record, "status": "CANCELED"} if method == "DELETE" else record] if is_open else [])
        if method == "POST":
            self.is_open[kind] = True
            return _reply(record)
        return _reply({"balances": [RECORDS["binance"].balance]})


def _reply(body: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(body).encode(), status)


def in_both(ours: Account) -> Account:
    """Return an account whose exchange has a spot market and two contracts."""
    markets = [ours.market(SPOT, "BTCUSDT"), ours.market(CONTRACT, "BTCUSDT"), ours.market(OTHER, "ETHUSDT")]
    ours.ccxt.set_markets(markets)
    return ours


@pytest.mark.parametrize("exchange", SEVERAL_KINDS)
async def test_orders_of_a_kind_that_a_list_leaves_out_are_asked_for(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """As soon as orders are expected there, and not before: a key may not be for that kind."""
    ours = in_both(account(exchange))
    apart = LISTED_APART.get(exchange)
    ours.ccxt.options["hf"] = False

    def answer(request: bytes) -> Reply:
        return _reply((NO_CONTRACTS if _asked(request) == apart else NO_ROWS)[exchange])

    server.answer = answer
    assert await ours.fetch_open_orders() == []
    once = list(map(_asked, server.requests))
    ours.expect_orders_in([SPOT, CONTRACT])
    assert await ours.fetch_open_orders() == []
    further = [] if apart is None else [apart]
    assert list(map(_asked, server.requests)) == [*once, *once, *further]
    assert ours.symbols_left_out() == [CONTRACT, OTHER] * len(further)


def _asked(request: bytes) -> str:
    return request.decode().split(" ")[1].partition("?")[0]


async def test_a_list_of_contracts_leaves_spot_orders_out(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """With ccxt's option `defaultType` it is the other way round, and of contracts in one currency."""
    ours = in_both(account("gate"))
    ours.ccxt.options["defaultType"] = "swap"
    ours.ccxt.markets[OTHER]["settle"] = "BTC"
    server.reply = _reply([])
    assert set(ours.symbols_left_out()) == {SPOT, OTHER}
    ours.expect_orders_in([SPOT])
    assert await ours.fetch_open_orders() == []
    assert ["/spot/open_orders" in request.decode() for request in server.requests] == [False, True]


async def test_open_contracts_are_asked_for_by_pages_of_their_own(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """HTX answers with ten of them unless more are asked for, and with a hundred at most."""
    ours = in_both(account("htx"))
    row = {"contract_code": "BTCUSDT", "side": "buy", "type": "limit", "price": "20", "volume": "1", "state": "new"}
    rows = [{**row, "order_id": str(number), "trade_volume": "0"} for number in range(1, 101)]
    server.reply = _reply({"code": 200, "message": "Success", "data": rows[:99]})
    assert len(await ours.fetch_open_orders(CONTRACT)) == 99
    assert b"limit=100&" in server.requests[0]
    server.reply = _reply({"code": 200, "message": "Success", "data": rows})
    with pytest.raises(IncompleteList):
        await ours.fetch_open_orders(CONTRACT)


async def test_a_list_of_binance_is_of_spot_orders(server: ScriptedServer, account: Callable[[str], Account]) -> None:
    """Whatever ccxt's options say: without a symbol ccxt does not heed all of them."""
    ours = in_both(account("binance"))
    ours.ccxt.options |= {"defaultType": "swap", "defaultSubType": "linear"}
    server.reply = _reply([])
    ours.expect_orders_in([SPOT, OTHER])
    assert await ours.fetch_open_orders() == []
    assert list(map(_asked, server.requests)) == ["/api/v3/openOrders", "/fapi/v1/openOrders"]


async def test_an_order_placed_in_a_contract_is_counted_and_canceled(
    server: ScriptedServer, account: Callable[[str], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its placement on. One that the exchange refused leads to no question, nor does a market that is gone."""
    ours, venue = in_both(account("binance")), Binance()
    server.answer = venue.answer
    monkeypatch.setattr(ours.ccxt, "load_markets", AsyncMock())
    ours.expect_orders_in(["GONE/USDT:USDT"])
    order = CreatePayload(
        symbol=CONTRACT, side="buy", type="limit", amount_base=Decimal(10), price=Decimal(20), order_source="James"
    )
    venue.is_allowed = False
    with pytest.raises(Rejected):
        await ours.create_order(order, "OURS")
    assert [each.symbol for each in await ours.fetch_open_orders()] == [SPOT]
    venue.is_allowed = True
    await ours.create_order(order, "OURS")
    both = [(SPOT, ID), (CONTRACT, ID)]
    assert [(each.symbol, each.id) for each in await ours.fetch_open_orders()] == both
    assert isinstance(await outcome_of(ours, lambda ours: ours.cancel_all_orders(CancelAllPayload())), Acknowledgement)
    assert venue.is_open == {"/api/": False, "/fapi/": False}


async def test_what_cannot_be_asked_for_is_not_taken_for_absent(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """The keys are good, since the list was answered: the rest is canceled, and the answer says what is not known."""
    ours, venue = in_both(account("binance")), Binance()
    server.answer = venue.answer
    venue.is_allowed, venue.is_open["/fapi/"] = False, True
    ours.expect_orders_in([CONTRACT])
    with pytest.raises(IncompleteList, match=r"cannot be asked for the rest: .*permissions") as cut:
        await ours.fetch_open_orders()
    assert [each.symbol for each in cut.value.rows] == [SPOT]
    outcome = await outcome_of(ours, lambda ours: ours.cancel_all_orders(CancelAllPayload()))
    assert "not all open orders were canceled" in str(outcome)
    assert venue.is_open == {"/api/": False, "/fapi/": True}
