"""REST: the operation of each path, and the response headers.

Source: Binance's rest-api.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from millrace_simulator.binance.errors import BinanceError, TooManyRequestsError
from millrace_simulator.binance.exchange import AccountOperation, Exchange, Operation
from millrace_simulator.binance.operations import (
    account,
    amending,
    market,
    order_lists,
    replace,
    rules,
    tickers,
    trading,
)
from millrace_simulator.binance.parameters import from_form, signed_payload
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wallet import WALLET_ROUTES

KEY_HEADER = "X-MBX-APIKEY"
UNIT_HEADER = "X-MBX-TIME-UNIT"

ROUTES: Mapping[tuple[str, str], Operation] = {
    ("GET", "/api/v3/ping"): market.PING,
    ("GET", "/api/v3/time"): market.SERVER_TIME,
    ("GET", "/api/v3/exchangeInfo"): rules.EXCHANGE_INFO,
    ("GET", "/api/v3/depth"): market.DEPTH,
    ("GET", "/api/v3/trades"): market.RECENT_TRADES,
    ("GET", "/api/v3/historicalTrades"): market.HISTORICAL_TRADES,
    ("GET", "/api/v3/aggTrades"): market.AGGREGATE_TRADES,
    ("GET", "/api/v3/klines"): market.KLINES,
    ("GET", "/api/v3/uiKlines"): market.KLINES,
    ("GET", "/api/v3/avgPrice"): market.AVERAGE_PRICE,
    ("GET", "/api/v3/ticker"): tickers.TICKER_WINDOW,
    ("GET", "/api/v3/ticker/24hr"): tickers.TICKER_24HR,
    ("GET", "/api/v3/ticker/tradingDay"): tickers.TICKER_TRADING_DAY,
    ("GET", "/api/v3/ticker/price"): tickers.TICKER_PRICE,
    ("GET", "/api/v3/ticker/bookTicker"): tickers.TICKER_BOOK,
    ("POST", "/api/v3/order"): trading.PLACE_ORDER,
    ("POST", "/api/v3/order/test"): trading.TEST_ORDER,
    ("POST", "/api/v3/order/cancelReplace"): replace.CANCEL_REPLACE,
    ("PUT", "/api/v3/order/amend/keepPriority"): amending.AMEND_ORDER,
    ("GET", "/api/v3/order/amendments"): amending.AMENDMENTS,
    ("POST", "/api/v3/order/oco"): order_lists.PLACE_OLD_OCO,
    ("POST", "/api/v3/orderList/oco"): order_lists.PLACE_OCO,
    ("POST", "/api/v3/orderList/oto"): order_lists.PLACE_OTO,
    ("POST", "/api/v3/orderList/otoco"): order_lists.PLACE_OTOCO,
    ("DELETE", "/api/v3/orderList"): order_lists.CANCEL_LIST,
    ("GET", "/api/v3/orderList"): order_lists.QUERY_LIST,
    ("GET", "/api/v3/allOrderList"): order_lists.ALL_LISTS,
    ("GET", "/api/v3/openOrderList"): order_lists.OPEN_LISTS,
    ("GET", "/api/v3/myPreventedMatches"): account.MY_PREVENTED_MATCHES,
    ("GET", "/api/v3/order"): account.ORDER_STATUS,
    ("DELETE", "/api/v3/order"): trading.CANCEL_ORDER,
    ("GET", "/api/v3/openOrders"): account.OPEN_ORDERS,
    ("DELETE", "/api/v3/openOrders"): trading.CANCEL_OPEN_ORDERS,
    ("GET", "/api/v3/allOrders"): account.ALL_ORDERS,
    ("GET", "/api/v3/myTrades"): account.MY_TRADES,
    ("GET", "/api/v3/account"): account.ACCOUNT,
    ("GET", "/api/v3/account/commission"): account.COMMISSION,
    ("GET", "/api/v3/rateLimit/order"): account.ORDER_RATE_LIMITS,
    **WALLET_ROUTES,
}


def add_rest_routes(app: web.Application, exchange: Exchange) -> None:
    """Serve every REST path of `ROUTES` and answer 404 as JSON for the others under /api and /sapi."""
    for (method, path), operation in ROUTES.items():
        app.router.add_route(method, path, _handler(exchange, operation))
    app.router.add_route("*", "/api/v3/userDataStream", _gone)
    for prefix in ("/api", "/sapi"):
        app.router.add_route("*", prefix + "/{rest:.*}", _not_found)


def _handler(exchange: Exchange, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.text() if request.body_exists else ""
        return _answer(exchange, operation, request, body)

    return handle


def _answer(exchange: Exchange, operation: Operation, request: web.Request, body: str) -> web.Response:
    address = request.remote or "unknown"
    headers: dict[str, str] = {}
    unit = TimeUnit.MILLISECOND
    try:
        unit = TimeUnit.named(request.headers.get(UNIT_HEADER))
        answer, order_headers = _perform(exchange, operation, request, body)
        headers.update(order_headers)
        status = 200
    except BinanceError as refusal:
        answer, status = refusal.payload(), refusal.status
        if isinstance(refusal, TooManyRequestsError):
            headers["Retry-After"] = str(refusal.retry_after_s)
    headers.update(exchange.limits.request_headers(address))
    return _json(answer, status, headers, unit)


def _perform(
    exchange: Exchange, operation: Operation, request: web.Request, body: str
) -> tuple[Any, Mapping[str, str]]:
    # The query as it was sent: the signature covers its bytes, which a parsed URL no longer has.
    query = request.raw_path.partition("?")[2]
    parameters = from_form(query, body)
    exchange.charge(operation, parameters, request.remote or "unknown")
    if not isinstance(operation, AccountOperation):
        return exchange.perform(operation, None, parameters), {}
    payload, signature = signed_payload(query, body)
    sender = exchange.authenticate(request.headers.get(KEY_HEADER), parameters, payload, signature)
    answer = exchange.perform(operation, sender, parameters)
    return answer, exchange.limits.order_headers(str(sender.account_id)) if operation.orders else {}


async def _gone(request: web.Request) -> web.Response:
    """Answer as the web server before Binance does since listen keys were removed, on 2026-02-20."""
    page = "<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    page += "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    return web.Response(text=page, status=HTTPStatus.GONE, content_type="text/html")


async def _not_found(request: web.Request) -> web.Response:
    return _json({"status": 404, "error": "Not Found", "path": request.path}, 404, {}, TimeUnit.MILLISECOND)


def _json(answer: Any, status: int, headers: Mapping[str, str], unit: TimeUnit) -> web.Response:
    return web.Response(
        body=unit.encode(answer), status=status, headers=headers, content_type="application/json", charset="UTF-8"
    )
