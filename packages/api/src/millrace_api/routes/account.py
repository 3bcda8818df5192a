"""A tenant's account history: orders, requests, answers, own trades, balances, positions, failed executions."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from millrace_api.access.principal import Caller
from millrace_api.documents import PageOf, returns
from millrace_api.parameters import (
    AccountScope,
    ExchangeQuery,
    PageWanted,
    SourcedScope,
    SymbolQuery,
    TenantQuery,
    scope_of,
    tenant_of,
)
from millrace_api.problems import not_found
from millrace_api.questions import NOTHING, json_of
from millrace_api.services import ServicesDep
from millrace_store import Scope
from millrace_store.queries.records import (
    BalanceRecord,
    CurrentOrder,
    ExchangePositionRecord,
    FailedExecution,
    OrderHistory,
    RequestRecord,
    ResponseRecord,
    TradeRecord,
)

router = APIRouter(tags=["history"])

Descending = Annotated[bool, Query(description="Newest first.")]
OrderId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
_NOT_THERE: dict[int, str] = {404: "Not found for this tenant."}


def _pages(model: Any) -> dict[int | str, dict[str, Any]]:
    return returns(PageOf[model])


@router.get("/orders", operation_id="list_orders", responses=_pages(CurrentOrder))
async def list_orders(
    services: ServicesDep,
    scope: SourcedScope,
    paging: PageWanted,
    status: Annotated[str | None, Query(pattern="^[a-z]{1,32}$", examples=["open"])] = None,
    descending: Descending = True,
) -> Response:
    """Return orders by creation time."""
    return await services.questions.page(
        services.store.account.orders,
        scope,
        status=status,
        limit=paging.limit,
        cursor=paging.cursor,
        descending=descending,
    )


@router.get("/orders/{order_id}", operation_id="get_order", responses=returns(OrderHistory, also=_NOT_THERE))
async def get_order(
    services: ServicesDep,
    caller: Caller,
    order_id: OrderId,
    tenant: TenantQuery = None,
    exchange: ExchangeQuery = None,
    symbol: SymbolQuery = None,
) -> Response:
    """Return an order's history: requests, answers with latencies, events, fills.

    Where several orders have this id, choose one by exchange and symbol.
    """
    scope = scope_of(tenant_of(caller, tenant, public=False), exchange, symbol)
    history = await services.questions.answer(services.store.account.order_history, scope, order_id=order_id)
    if history == NOTHING:
        raise not_found("order with this id")
    return json_of(history)


@router.get("/requests", operation_id="list_requests", responses=_pages(RequestRecord))
async def list_requests(
    services: ServicesDep, scope: SourcedScope, paging: PageWanted, descending: Descending = True
) -> Response:
    """Return requests to trade."""
    return await services.questions.page(
        services.store.account.requests, scope, limit=paging.limit, cursor=paging.cursor, descending=descending
    )


@router.get("/requests/{request_id}", operation_id="get_request", responses=returns(OrderHistory, also=_NOT_THERE))
async def get_request(
    services: ServicesDep,
    caller: Caller,
    request_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    tenant: TenantQuery = None,
) -> Response:
    """Return a request's history: answers, its order, fills."""
    scope = Scope(tenant_of(caller, tenant, public=False))
    history = await services.questions.answer(services.store.account.order_history, scope, request_id=request_id)
    if history == NOTHING:
        raise not_found("request with this id (a new one is stored within a second)")
    return json_of(history)


@router.get("/answers", operation_id="list_answers", responses=_pages(ResponseRecord))
async def list_answers(
    services: ServicesDep, scope: SourcedScope, paging: PageWanted, descending: Descending = True
) -> Response:
    """Return the executor's answers to requests, with the latency of each hop in ns."""
    return await services.questions.page(
        services.store.account.responses, scope, limit=paging.limit, cursor=paging.cursor, descending=descending
    )


@router.get("/own-trades", operation_id="list_own_trades", responses=_pages(TradeRecord))
async def list_own_trades(
    services: ServicesDep, scope: SourcedScope, paging: PageWanted, descending: Descending = True
) -> Response:
    """Return the tenant's own trades by time."""
    return await services.questions.page(
        services.store.account.own_trades, scope, limit=paging.limit, cursor=paging.cursor, descending=descending
    )


@router.get("/balances", operation_id="list_balances", responses=_pages(BalanceRecord))
async def list_balances(
    services: ServicesDep,
    scope: AccountScope,
    paging: PageWanted,
    currency: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$", examples=["USDT"])] = None,
    descending: Descending = True,
) -> Response:
    """Return each change of a balance, and the balances at each start of their stream."""
    return await services.questions.page(
        services.store.account.balances,
        scope,
        currency=currency,
        limit=paging.limit,
        cursor=paging.cursor,
        descending=descending,
    )


@router.get("/exchange-positions", operation_id="list_exchange_positions", responses=_pages(ExchangePositionRecord))
async def list_exchange_positions(
    services: ServicesDep, scope: AccountScope, paging: PageWanted, descending: Descending = True
) -> Response:
    """Return each change of a position in contracts, as the exchange reported it."""
    return await services.questions.page(
        services.store.account.exchange_positions,
        scope,
        limit=paging.limit,
        cursor=paging.cursor,
        descending=descending,
    )


@router.get("/failed-executions", operation_id="list_failed_executions", responses=_pages(FailedExecution))
async def list_failed_executions(
    services: ServicesDep,
    scope: SourcedScope,
    paging: PageWanted,
    kind: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$", examples=["RiskRefused"])] = None,
    descending: Descending = True,
) -> Response:
    """Return every request that was not done, with the reason, and how unknown ones ended."""
    return await services.questions.page(
        services.store.account.failed_executions,
        scope,
        kind=kind,
        limit=paging.limit,
        cursor=paging.cursor,
        descending=descending,
    )
