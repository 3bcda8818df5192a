"""Market history: trades, candles, tickers, order books at any past time."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from millrace_api.access.principal import Caller
from millrace_api.documents import ListOf, PageOf, returns
from millrace_api.parameters import MarketScope, PageWanted, TenantQuery, own_account, tenant_of
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep
from millrace_api.times import IntervalQuery, Timestamp
from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store import BookUnknown
from millrace_store.queries.records import (
    BookRecord,
    CandleRecord,
    EventRecord,
    MarketRecord,
    TickerRecord,
    TradeRecord,
)

router = APIRouter(tags=["history"])

_LATEST_NUMBER = 2**63 - 1


@router.get("/trades", operation_id="list_trades", responses=returns(PageOf[TradeRecord]))
async def list_trades(
    services: ServicesDep, scope: MarketScope, paging: PageWanted, descending: Annotated[bool, Query()] = False
) -> Response:
    """Return trades by time, oldest first."""
    return await services.questions.page(
        services.store.market.trades, scope, limit=paging.limit, cursor=paging.cursor, descending=descending
    )


@router.get("/candles", operation_id="list_candles", responses=returns(PageOf[CandleRecord]))
async def list_candles(
    services: ServicesDep,
    scope: MarketScope,
    paging: PageWanted,
    timeframe: Annotated[
        str | None, Query(pattern="^[0-9]{1,3}[smhdwM]$", description="The exchange's own candles, such as 1m.")
    ] = None,
    interval: Annotated[
        IntervalQuery | None, Query(description="Candles built from trades: 1s, 90s, 5m, 4h, 1d, 1w, 1M … or ms.")
    ] = None,
) -> Response:
    """Return the exchange's candles (`timeframe`), or candles built from stored trades (`interval`)."""
    market, limit, cursor = services.store.market, paging.limit, paging.cursor
    if timeframe is not None and interval is None:
        return await services.questions.page(market.candles, scope, timeframe, limit=limit, cursor=cursor)
    if timeframe is not None or interval is None:
        raise ApiError(422, "set either timeframe (candles of the exchange) or interval (built from trades)")
    if scope.exchange is None or scope.symbol is None:
        raise ApiError(422, "set exchange and symbol: candles are built for one market")
    return await services.questions.whole(market.candles_from_trades, scope, interval, limit=limit, cursor=cursor)


@router.get("/tickers", operation_id="list_tickers", responses=returns(PageOf[TickerRecord]))
async def list_tickers(services: ServicesDep, scope: MarketScope, paging: PageWanted) -> Response:
    """Return the complete ticker after each message, oldest first."""
    return await services.questions.whole(
        services.store.market.tickers, scope, limit=paging.limit, cursor=paging.cursor
    )


@router.get("/markets", operation_id="list_markets", responses=returns(ListOf[MarketRecord]))
async def list_markets(services: ServicesDep, scope: MarketScope) -> Response:
    """Return what exchanges take in each market: steps and least sizes, as they were told last."""
    return await services.questions.whole(services.store.market.terms, scope)


@router.get("/events/{action}", operation_id="list_events", responses=returns(PageOf[EventRecord]))
async def list_events(
    services: ServicesDep,
    caller: Caller,
    scope: MarketScope,
    paging: PageWanted,
    action: Annotated[str, Path(pattern="^[A-Za-z]{1,64}$", examples=["watchTicker"])],
) -> Response:
    """Return messages of streams that have no table of their own, such as funding rates."""
    if scope.actions is not None and action not in scope.actions:
        scope = own_account(caller, scope)
    return await services.questions.page(
        services.store.market.events, scope, action, limit=paging.limit, cursor=paging.cursor
    )


@router.get(
    "/orderbooks/{exchange}/{symbol:path}",
    operation_id="get_order_book",
    responses=returns(BookRecord, also={404: "The book cannot be rebuilt; `detail` says why."}),
)
async def get_order_book(
    services: ServicesDep,
    caller: Caller,
    exchange: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,32}$")],
    symbol: Annotated[str, Path(pattern=r"^[^\s*?\[\]\x00]{1,64}$")],
    tenant: TenantQuery = None,
    at: Annotated[Timestamp | None, Query(description="The time of the book.")] = None,
    message_id: Annotated[str | None, Query(pattern="^[0-9]{1,15}-[0-9]{1,15}$")] = None,
    nonce: Annotated[int | None, Query(ge=0, le=_LATEST_NUMBER, description="The exchange's own number.")] = None,
    depth: Annotated[int | None, Query(ge=1, le=10_000, description="Levels on each side; all by default.")] = None,
) -> Response:
    """Return the order book at a time, a message or the exchange's own number, verified by checksum."""
    if [at, message_id, nonce].count(None) != 2:
        raise ApiError(422, "set exactly one of at, message_id and nonce")
    name = _book_name(tenant_of(caller, tenant), exchange, symbol)
    wanted = None if message_id is None else MessageId.parse(message_id)
    try:
        return await services.questions.whole(
            services.store.market.book, name, at_ms=at, message_id=wanted, nonce=nonce, depth=depth
        )
    except BookUnknown as unknown:
        hint = "" if name.tenant == PUBLIC else f" of {name.tenant} (for the shared feeds: tenant=PUBLIC)"
        raise ApiError(
            404, f"this book{hint} cannot be rebuilt: {unknown.reason}; GET /api/v1/streams lists what is stored"
        ) from unknown


def _book_name(tenant: Tenant, exchange: str, symbol: str) -> StreamName:
    try:
        return StreamName.parse(str(StreamName(tenant, ExchangeId(exchange), Action("watchOrderBook"), Symbol(symbol))))
    except InvalidName as error:
        raise ApiError(422, str(error)) from error
