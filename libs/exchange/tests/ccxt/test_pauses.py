"""A pause that the exchange asks for holds on every way that leads to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from millrace_core.budget import Charge, LocalBudget, RequestBudget, Verdict
from millrace_core.config.common import Credentials
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Retryable
from millrace_exchange.ccxt.exchange import CcxtExchange, open_ccxt_exchange

SYMBOL = "KCS/USDT"
BID = CreatePayload(symbol=SYMBOL, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))
OWN_ERROR = '{"code":-1003,"msg":"Way too much request weight used"}'
HTML = "<html>Request blocked</html>"


class Refusing:
    """An exchange that gives everybody the same answer."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self.reply: tuple[int, dict[str, str], str] = (200, {}, "[]")

    async def answer(self, request: web.Request) -> web.Response:
        """Answer, sockets too."""
        self.requests.append(request.path)
        status, headers, body = self.reply
        return web.Response(status=status, headers=headers, text=body)


@pytest.fixture
async def refusing() -> AsyncIterator[Refusing]:
    """An exchange that refuses."""
    refusing, app = Refusing(), web.Application()
    app.router.add_route("*", "/{path:.*}", refusing.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    refusing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield refusing
    await runner.cleanup()


Opening = Callable[..., Awaitable[CcxtExchange]]


@pytest.fixture
async def opened(refusing: Refusing) -> AsyncIterator[Opening]:
    """Open an exchange whose markets are known; all count in one budget."""
    budget, exchanges = LocalBudget(), list[CcxtExchange]()

    async def open_one(exchange_id: str = "binance", tenant: str = "T") -> CcxtExchange:
        keys = Credentials(api_key=tenant, secret="s", password="p", urls={"base": refusing.url})
        exchange = await open_ccxt_exchange(exchange_id, keys, RequestBudget(budget, tenant=tenant))
        exchanges.append(exchange)
        ccxt = exchange.caller.ccxt
        precision = {"price": 0.001, "amount": 0.01}
        ids = {
            "id": "KCS-USDT",
            "lowercaseId": "kcsusdt",
            "base": "KCS",
            "quote": "USDT",
            "baseId": "KCS",
            "quoteId": "USDT",
        }
        kind = {"symbol": SYMBOL, "type": "spot", "spot": True, "active": True}
        ccxt.set_markets([ccxt.safe_market_structure({**ids, **kind, "precision": precision, "info": {}})])
        ccxt.options |= {"hf": True, "uta": False}
        return exchange

    yield open_one
    for exchange in exchanges:
        await exchange.close()


def ways(exchange: CcxtExchange) -> list[Awaitable[Any]]:
    """Return one request on each way to the exchange: REST, signed or not, requests over a socket, and streams."""
    return [
        exchange.market.fetch_trades(SYMBOL),
        exchange.execution.create_order(BID, "ours"),
        exchange.execution.cancel_order(CancelPayload(symbol=SYMBOL, order_id="1")),
        exchange.account.fetch_open_orders(SYMBOL),
        exchange.market.trades(SYMBOL, None),  # type: ignore[arg-type]
        exchange.account.orders(SYMBOL, None),  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    ("reply", "pause_s"),
    [
        ((429, {"Retry-After": "30"}, OWN_ERROR), 30),
        ((418, {"Retry-After": "600"}, OWN_ERROR), 600),
        ((429, {}, HTML), 120),
        ((403, {}, HTML), 120),
        ((503, {"Retry-After": "20"}, HTML), 20),
        ((404, {"Retry-After": "20"}, ""), 20),
    ],
)
async def test_nothing_is_sent_before_the_pause_is_over(
    refusing: Refusing, opened: Opening, reply: tuple[int, dict[str, str], str], pause_s: int
) -> None:
    """It holds for every error class of ccxt, for every tenant, and for REST and sockets alike."""
    one, other = await opened(), await opened(tenant="U")
    refusing.reply = reply
    with pytest.raises(Retryable) as refused:
        await one.market.fetch_trades(SYMBOL)
    assert pause_s - 5 < refused.value.retry_after_ms / 1000 <= pause_s
    for way in [*ways(one), *ways(other)]:
        with pytest.raises(Retryable) as held:
            await asyncio.wait_for(way, 5)
        assert pause_s - 5 < held.value.retry_after_ms / 1000 <= pause_s
    assert len(refusing.requests) == 1


async def test_a_refused_socket_is_a_pause_for_all(refusing: Refusing, opened: Opening) -> None:
    """A handshake has an answer as well."""
    exchange = await opened()
    refusing.reply = (429, {"Retry-After": "30"}, "")
    with pytest.raises(Retryable) as refused:
        await exchange.market.trades(SYMBOL, None)  # type: ignore[arg-type]
    assert 25_000 < refused.value.retry_after_ms <= 30_000
    with pytest.raises(Retryable):
        await exchange.market.fetch_trades(SYMBOL)
    assert len(refusing.requests) == 1


class StoppedMeanwhile(LocalBudget):
    """A budget that another process stops right after it has granted something."""

    async def take(self, charges: Sequence[Charge], tenant: str, *, urgent: bool = False) -> Verdict:
        """Grant, and begin a pause."""
        verdict = await super().take(charges, tenant, urgent=urgent)
        self.stop(charges[0].key, 30_000)
        return verdict


async def test_a_request_that_was_counted_before_the_pause_is_held_too(refusing: Refusing) -> None:
    """What matters is when it would leave."""
    keys = Credentials(urls={"base": refusing.url})
    exchange = await open_ccxt_exchange("binance", keys, RequestBudget(StoppedMeanwhile()))
    with pytest.raises(Retryable, match="asked for a pause"):
        await exchange.prepare()
    assert not refusing.requests
    await exchange.close()


async def test_what_one_key_may_not_do_stops_nobody(refusing: Refusing, opened: Opening) -> None:
    """The exchange's own 403 is no firewall's."""
    exchange = await opened()
    refusing.reply = (403, {}, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}')
    for _ in range(2):
        with pytest.raises(Exception, match="-2015"):
            await exchange.account.fetch_open_orders(SYMBOL)
    assert len(refusing.requests) == 2


async def test_an_answer_that_is_no_refusal_tells_what_is_left(refusing: Refusing, opened: Opening) -> None:
    """Somebody else has used most of the address's weight: history waits, a cancel does not."""
    exchange = await opened()
    refusing.reply = (200, {"X-MBX-USED-WEIGHT-1M": "5900"}, "[]")
    await exchange.market.fetch_trades(SYMBOL)
    with pytest.raises(Retryable, match="limits are used up"):
        await exchange.market.fetch_trades(SYMBOL)
    assert len(refusing.requests) == 1
    refusing.reply = (200, {}, '{"orderId":1,"symbol":"KCS-USDT","status":"CANCELED"}')
    gate = exchange.caller.gate
    await gate.enter("cancelOrder")


async def test_kucoin_says_in_ms_when_its_pool_is_full_again(refusing: Refusing, opened: Opening) -> None:
    """A refusal concerns the pool that is empty, not the orders of the account."""
    exchange = await opened("kucoin")
    body = '{"code":"429000","msg":"Too many requests"}'
    refusing.reply = (429, {"gw-ratelimit-reset": "17000", "gw-ratelimit-remaining": "0"}, body)
    with pytest.raises(Retryable) as refused:
        await exchange.market.fetch_trades(SYMBOL)
    assert 16_000 < refused.value.retry_after_ms <= 17_000
    with pytest.raises(Retryable):
        await exchange.market.fetch_trades(SYMBOL)
    refusing.reply = (200, {"gw-ratelimit-remaining": "2500"}, '{"code":"200000","data":{"orderId":"7"}}')
    await exchange.execution.create_order(BID, "ours")
    assert len(refusing.requests) == 2
