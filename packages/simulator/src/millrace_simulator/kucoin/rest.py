"""REST: the operation of each path, and the response headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from millrace_simulator.kucoin import errors, parameters, signing
from millrace_simulator.kucoin.errors import KucoinError
from millrace_simulator.kucoin.exchange import Exchange, Operation, PublicOperation
from millrace_simulator.kucoin.limits import Pool
from millrace_simulator.kucoin.operations import (
    accounts,
    canceling,
    market,
    paged,
    placing,
    queries,
    stop_orders,
    symbols,
    tickers,
)
from millrace_simulator.kucoin.rejections import rejection
from millrace_simulator.venue import VenueError

ROUTES: Mapping[tuple[str, str], Operation] = {
    ("GET", "/api/v1/timestamp"): market.TIMESTAMP,
    ("GET", "/api/v1/status"): market.STATUS,
    ("GET", "/api/v1/my-ip"): market.CLIENT_ADDRESS,
    ("GET", "/api/v1/markets"): symbols.MARKETS,
    ("GET", "/api/v1/prices"): symbols.FIAT_PRICES,
    ("GET", "/api/v1/symbols"): symbols.SYMBOLS,
    ("GET", "/api/v2/symbols"): symbols.SYMBOLS,
    ("GET", "/api/v2/symbols/{symbol}"): symbols.SYMBOL,
    ("GET", "/api/v1/currencies"): symbols.CURRENCIES,
    ("GET", "/api/v3/currencies"): symbols.CURRENCIES,
    ("GET", "/api/v3/currencies/{currency}"): symbols.CURRENCY,
    ("GET", "/api/v1/market/allTickers"): tickers.ALL_TICKERS,
    ("GET", "/api/v1/market/stats"): tickers.DAY_STATISTICS,
    ("GET", "/api/v1/market/orderbook/level1"): market.LEVEL1,
    ("GET", "/api/v1/market/orderbook/level2_20"): market.BOOK_20,
    ("GET", "/api/v1/market/orderbook/level2_100"): market.BOOK_100,
    ("GET", "/api/v3/market/orderbook/level2"): market.FULL_BOOK,
    ("GET", "/api/v1/market/histories"): market.TRADE_HISTORY,
    ("GET", "/api/v1/market/candles"): market.CANDLES,
    ("GET", "/api/v1/contracts/active"): accounts.CONTRACTS,
    ("POST", "/api/v1/bullet-public"): accounts.PUBLIC_BULLET,
    ("POST", "/api/v1/bullet-private"): accounts.PRIVATE_BULLET,
    ("GET", "/api/v1/accounts"): accounts.ACCOUNTS,
    ("GET", "/api/v1/accounts/{accountId}"): accounts.ACCOUNT,
    ("GET", "/api/v1/hf/accounts/opened"): accounts.HIGH_FREQUENCY,
    ("GET", "/api/ua/v1/account/mode"): accounts.ACCOUNT_MODE,
    ("GET", "/api/v2/user-info"): accounts.USER_INFO,
    ("GET", "/api/v1/user/api-key"): accounts.KEY_INFO,
    ("GET", "/api/v1/base-fee"): accounts.BASE_FEE,
    ("GET", "/api/v1/trade-fees"): accounts.TRADE_FEES,
    ("GET", "/api/v3/margin/symbols"): accounts.MARGIN_SYMBOLS,
    ("GET", "/api/v1/isolated/symbols"): accounts.ISOLATED_SYMBOLS,
    ("POST", "/api/v1/hf/orders"): placing.PLACE,
    ("POST", "/api/v1/hf/orders/sync"): placing.PLACE_SYNC,
    ("POST", "/api/v1/hf/orders/test"): placing.TEST,
    ("POST", "/api/v1/hf/orders/multi"): placing.PLACE_SEVERAL,
    ("POST", "/api/v1/hf/orders/multi/sync"): placing.PLACE_SEVERAL_SYNC,
    ("POST", "/api/v1/hf/orders/alter"): placing.ALTER,
    ("DELETE", "/api/v1/hf/orders"): canceling.SYMBOL,
    ("DELETE", "/api/v1/hf/orders/cancelAll"): canceling.EVERYTHING,
    ("DELETE", "/api/v1/hf/orders/sync/client-order/{clientOid}"): canceling.BY_CLIENT_ID_SYNC,
    ("DELETE", "/api/v1/hf/orders/sync/{orderId}"): canceling.BY_ID_SYNC,
    ("DELETE", "/api/v1/hf/orders/client-order/{clientOid}"): canceling.BY_CLIENT_ID,
    ("DELETE", "/api/v1/hf/orders/{orderId}"): canceling.BY_ID,
    ("GET", "/api/v1/hf/orders/active"): queries.OPEN_ORDERS,
    ("GET", "/api/v1/hf/orders/active/page"): queries.OPEN_ORDERS_BY_PAGE,
    ("GET", "/api/v1/hf/orders/active/symbols"): queries.OPEN_SYMBOLS,
    ("GET", "/api/v1/hf/orders/done"): queries.DONE_ORDERS,
    ("GET", "/api/v1/hf/orders/client-order/{clientOid}"): queries.ORDER,
    ("GET", "/api/v1/hf/orders/{orderId}"): queries.ORDER,
    ("GET", "/api/v1/hf/fills"): queries.FILLS,
    ("POST", "/api/v1/orders"): placing.CLASSIC_PLACE,
    ("POST", "/api/v1/orders/test"): placing.CLASSIC_TEST,
    ("POST", "/api/v1/orders/multi"): placing.CLASSIC_SEVERAL,
    ("DELETE", "/api/v1/orders"): canceling.CLASSIC_ALL,
    ("DELETE", "/api/v1/orders/{orderId}"): canceling.CLASSIC_BY_ID,
    ("DELETE", "/api/v1/order/client-order/{clientOid}"): canceling.CLASSIC_BY_CLIENT_ID,
    ("GET", "/api/v1/orders"): paged.ORDERS,
    ("GET", "/api/v1/limit/orders"): paged.RECENT_ORDERS,
    ("GET", "/api/v1/orders/{orderId}"): paged.ORDER,
    ("GET", "/api/v1/order/client-order/{clientOid}"): paged.ACTIVE_ORDER,
    ("GET", "/api/v1/fills"): paged.FILLS,
    ("GET", "/api/v1/limit/fills"): paged.RECENT_FILLS,
    ("POST", "/api/v1/stop-order"): stop_orders.PLACE,
    ("GET", "/api/v1/stop-order"): stop_orders.STOP_ORDERS,
    ("GET", "/api/v1/stop-order/queryOrderByClientOid"): stop_orders.STOP_ORDERS_BY_CLIENT_ID,
    ("GET", "/api/v1/stop-order/{orderId}"): stop_orders.STOP_ORDER,
    ("DELETE", "/api/v1/stop-order/cancel"): stop_orders.SEVERAL,
    ("DELETE", "/api/v1/stop-order/cancelOrderByClientOid"): stop_orders.BY_CLIENT_ID,
    ("DELETE", "/api/v1/stop-order/{orderId}"): stop_orders.BY_ID,
}
"""Of two paths that fit, the first is taken."""

_encode = msgspec.json.Encoder().encode


def add_rest_routes(app: web.Application, exchange: Exchange) -> None:
    """Serve every path of `ROUTES`, and answer 404000 for the others under /api."""
    for (method, path), operation in ROUTES.items():
        app.router.add_route(method, path, _handler(exchange, operation))
    app.router.add_route("*", "/api/{rest:.*}", _not_found)


def _handler(exchange: Exchange, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.text() if request.body_exists else ""
        return _answer(exchange, operation, request, body)

    return handle


def _answer(exchange: Exchange, operation: Operation, request: web.Request, body: str) -> web.Response:
    headers: dict[str, str] = {}
    try:
        data = _perform(exchange, operation, request, body, headers)
    except KucoinError as refusal:
        return _refusal(refusal, headers)
    except VenueError as refusal:
        return _refusal(rejection(refusal), headers)
    return _json({"code": "200000", "data": data}, HTTPStatus.OK, headers)


def _perform(exchange: Exchange, operation: Operation, request: web.Request, body: str, headers: dict[str, str]) -> Any:
    """Return what an operation answers with; add to `headers` what is left of the pool that the request drew from."""
    query = request.raw_path.partition("?")[2]
    if isinstance(operation, PublicOperation):
        _charge(exchange, Pool.PUBLIC, request.remote or "unknown", operation.weight, headers)
        return operation.run(exchange, _read(request, query, body))
    signed = signing.Signed(request.method, request.raw_path, body)
    account = signing.authenticate(exchange.venue, request.headers, signed)
    _charge(exchange, operation.pool, str(account.account_id), operation.weight, headers)
    return operation.run(exchange, account, _read(request, query, body))


def _read(request: web.Request, query: str, body: str) -> parameters.Parameters:
    return parameters.read(request.match_info, query, body, request.host)


def _charge(exchange: Exchange, pool: Pool, user: str, weight: int, headers: dict[str, str]) -> None:
    try:
        exchange.limits.charge(pool, user, weight)
    finally:
        headers.update(exchange.limits.headers(pool, user))


async def _not_found(_: web.Request) -> web.Response:
    return _refusal(errors.not_found(), {})


def _refusal(refusal: KucoinError, headers: Mapping[str, str]) -> web.Response:
    return _json({"code": refusal.code, "msg": refusal.message}, refusal.status, headers)


def _json(answer: Any, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        body=_encode(answer), status=status, headers=headers, content_type="application/json", charset="UTF-8"
    )
