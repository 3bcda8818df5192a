"""Positions, profit and loss from a tenant's own trades, and its equity over time."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from millrace_api.access.principal import Caller
from millrace_api.documents import ListOf, PageOf, returns
from millrace_api.parameters import (
    AccountScope,
    ExchangeQuery,
    PageWanted,
    SymbolQuery,
    TenantQuery,
    scope_of,
    tenant_of,
)
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep
from millrace_api.times import IntervalQuery, Timestamp
from millrace_store import RangeTooLarge, Scope
from millrace_store.portfolio.profit import Apart
from millrace_store.queries.portfolio_records import EquityRecord, PositionRecord, ProfitRecord

router = APIRouter(tags=["portfolio"])

_ONE_SOURCE = r"^[^\x00]{0,128}$"
Sources = Annotated[
    list[Annotated[str, Query(pattern=_ONE_SOURCE)]],
    Query(
        max_length=100,
        alias="source",
        description="Only trades of these order sources; empty: those of no known request. Repeat it for several.",
    ),
]


@router.get("/positions", operation_id="list_positions", responses=returns(PageOf[PositionRecord]))
async def list_positions(
    services: ServicesDep,
    caller: Caller,
    paging: PageWanted,
    tenant: TenantQuery = None,
    exchange: ExchangeQuery = None,
    symbol: SymbolQuery = None,
    sources: Sources = [],  # noqa: B006 - FastAPI copies it
    is_open: Annotated[bool | None, Query(alias="open", description="Only positions that are not zero.")] = None,
) -> Response:
    """Return what the tenant's own trades add up to, by exchange, symbol and order source."""
    scope = scope_of(tenant_of(caller, tenant, public=False), exchange, symbol)
    return await services.questions.page(
        services.store.portfolio.positions,
        scope,
        sources=sources,
        is_open=is_open,
        limit=paging.limit,
        cursor=paging.cursor,
    )


@router.get("/pnl", operation_id="list_profits", responses=returns(ListOf[ProfitRecord]))
async def list_profits(
    services: ServicesDep,
    scope: AccountScope,
    sources: Sources = [],  # noqa: B006 - FastAPI copies it
    apart: Annotated[
        list[Apart],
        Query(alias="by", max_length=3, description="What to separate by; profits are summed over the rest."),
    ] = [],  # noqa: B006 - FastAPI copies it
    interval: Annotated[
        IntervalQuery | None,
        Query(description="Whole hours, such as 1h, 1d or 1M (UTC); by default the whole range at once."),
    ] = None,
) -> Response:
    """Return realised profit and fees of the range or of each interval in it, oldest first.

    The hours that contain `since` and `until` are counted whole. Profits of different currencies are never summed.
    """
    try:
        return await services.questions.whole(
            services.store.portfolio.profits, scope, sources=sources, apart=apart, interval=interval
        )
    except (ValueError, RangeTooLarge) as error:
        raise ApiError(422, str(error)) from error


@router.get("/equity", operation_id="list_equity", responses=returns(PageOf[EquityRecord]))
async def list_equity(
    services: ServicesDep,
    caller: Caller,
    paging: PageWanted,
    tenant: TenantQuery = None,
    since: Annotated[Timestamp | None, Query(description="Start of the time range, inclusive.")] = None,
    until: Annotated[Timestamp | None, Query(description="End of the time range, exclusive.")] = None,
    interval: Annotated[IntervalQuery | None, Query(description="Only the last sample of each interval.")] = None,
    holdings: Annotated[bool, Query(description="Also return every balance with its price and value.")] = False,
    descending: Annotated[bool, Query(description="Newest first.")] = False,
) -> Response:
    """Return the value of all balances over time, and those whose value is not known."""
    scope = Scope(tenant_of(caller, tenant, public=False), since_ms=since, until_ms=until)
    return await services.questions.page(
        services.store.portfolio.equity,
        scope,
        interval=interval,
        holdings=holdings,
        limit=paging.limit,
        cursor=paging.cursor,
        descending=descending,
    )
