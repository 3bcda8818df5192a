"""An account that trades on spot, at the simulator, and in contracts: neither kind of open orders hides the other."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Final

import pytest
from aiohttp import web
from packages.executor.tests.resolution.test_startup_recovery import claim

from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.names import Symbol
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_executor.answering.intents import Intent

CONTRACT: Final = Symbol("BTC/USDT:USDT")
RISK: Final = {"maxOpenOrders": 2}
_ORDER: Final = {
    "orderId": 1,
    "symbol": "BTCUSDT",
    "price": "20.00",
    "avgPrice": "0.00",
    "origQty": "1.000",
    "executedQty": "0",
    "cumQty": "0",
    "cumQuote": "0",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "origType": "LIMIT",
    "side": "BUY",
    "positionSide": "BOTH",
    "reduceOnly": False,
    "closePosition": False,
    "stopPrice": "0",
    "workingType": "CONTRACT_PRICE",
    "time": 1_700_000_000_000,
    "updateTime": 1_700_000_000_000,
}
_MARKET: Final = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "orderTypes": ["LIMIT", "MARKET"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "1000000", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    ],
}


class Contracts:
    """Binance's API of contracts: one market, and the orders that are open in it."""

    def __init__(self) -> None:
        self.open: list[dict[str, Any]] = []
        self.is_asked = False
        """Whether anything was asked of the account."""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        if request.path.endswith("/exchangeInfo"):
            return web.json_response({"symbols": [_MARKET]})
        self.is_asked = True
        if request.method == "POST":
            sent = {**request.query, **await request.post()}
            return web.json_response(self.place(sent["newClientOrderId"]))
        if request.method == "DELETE":
            self.open.clear()
            return web.json_response({"code": 200, "msg": "The operation of cancel all open order is done."})
        return web.json_response(self.open[0] if request.path.endswith("/order") else self.open)

    def place(self, our_id: str) -> dict[str, Any]:
        """Have an order open under an id of ours."""
        self.open.append({**_ORDER, "clientOrderId": our_id, "status": "NEW"})
        return self.open[-1]


@pytest.fixture
async def contracts() -> AsyncIterator[tuple[Contracts, str]]:
    """Run it; return it and its address."""
    contracts, app = Contracts(), web.Application()
    app.router.add_route("*", "/{path:.*}", contracts.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield contracts, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def create(symbol: str, price: str) -> dict[str, Any]:
    """Return a request for a limit order that stays open."""
    payload = {"symbol": symbol, "side": "buy", "type": "limit", "amountBase": 1, "price": price}
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload | {"orderSource": "James"}}


def account_at(platform: Any, contracts: str) -> dict[str, Any]:
    """Return an account that trades on spot at the simulator, and in contracts at an address."""
    return {
        "apiKey": "demo-key",
        "secret": "demo-secret",
        "urls": {
            "base": platform.address,
            "api": {"fapiPublic": f"{contracts}/fapi/v1", "fapiPrivate": f"{contracts}/fapi/v1"},
        },
        "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
    }


async def test_open_orders_of_either_kind_are_counted_and_canceled_after_a_restart(
    platform: Any, contracts: tuple[Contracts, str]
) -> None:
    """What no list of the account holds is asked for, since Redis knows that an order is open there."""
    venue, address = contracts
    account = account_at(platform, address)
    await platform.bus.put_config("EXECUTOR", platform.config(binance=account))
    await platform.start()
    on_spot, in_contracts = await platform.answers(), await platform.answers(symbol=CONTRACT)
    await platform.publish(create("KCS/USDT", "8.5"))
    assert await on_spot.statuses(1) == ["done"]
    assert not venue.is_asked
    await platform.publish(create(CONTRACT, "20"))
    assert await in_contracts.statuses(1) == ["done"]
    await platform.stop()
    await platform.bus.put_config("EXECUTOR", platform.config(RISK, binance=account))
    await platform.start()
    await platform.publish(create("KCS/USDT", "8.4"))
    refused = (await on_spot.number(2)).response
    assert refused.error.message.startswith("maxOpenOrders is 2, and 2 orders are open")
    await platform.publish({"action": "cancelAllOrders", "exchangeId": "binance", "payload": {}})
    canceled = await (await platform.answers("cancelAllOrders", None)).number(1)
    assert canceled.response.status == "done"
    assert (venue.open, [order.status.value for order in platform.orders()]) == ([], ["CANCELED"])


async def test_an_order_that_an_ended_executor_had_in_hand_is_counted(
    platform: Any, contracts: tuple[Contracts, str]
) -> None:
    """Redis has no open order in that market yet, only the request."""
    (venue, address), our_id = contracts, new_request_id()
    payload = CreatePayload(symbol=CONTRACT, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(20))
    request = CreateOrder(exchange_id="binance", request_id=our_id, requested_at=now_ms(), payload=payload)
    answers_to = f"stream.StrankaXY.binance.createOrder.{CONTRACT}"
    await claim(
        platform, Intent(our_id, "pending", answers_to, now_ms(), now_ms() + 60_000, request, client_order_id=our_id)
    )
    venue.place(our_id)
    risk, account = {"maxOpenOrders": 1}, account_at(platform, address)
    await platform.bus.put_config("EXECUTOR", platform.config(risk, binance=account))
    await platform.start()
    answers = await platform.answers()
    await platform.publish(create("KCS/USDT", "8.5"))
    assert (await answers.number(1)).response.error.message.startswith("maxOpenOrders is 1, and 1 orders are open")
