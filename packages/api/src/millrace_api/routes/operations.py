"""Operation of the platform: streams, gaps, latency percentiles, dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from millrace_api.documents import ListOf, PageOf, returns
from millrace_api.parameters import AccountScope, MarketScope, PageWanted
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep
from millrace_core.clock import MINUTE_MS, now_ms
from millrace_store import RangeTooLarge
from millrace_store.queries.records import DeadLetter, GapRecord, LatencyRecord, StreamRecord

router = APIRouter(tags=["operations"])

HOUR_MS = 60 * MINUTE_MS
MAX_INTERVALS = 1_500
"""Intervals in one response: a day of minutes."""


@router.get("/streams", operation_id="list_streams", responses=returns(ListOf[StreamRecord]))
async def list_streams(services: ServicesDep, scope: MarketScope) -> Response:
    """Return the stored streams and how far each is stored."""
    return await services.questions.whole(services.store.operations.streams, scope)


@router.get("/gaps", operation_id="list_gaps", responses=returns(PageOf[GapRecord]))
async def list_gaps(services: ServicesDep, scope: MarketScope, paging: PageWanted) -> Response:
    """Return messages that were lost before they could be stored, newest first."""
    return await services.questions.page(
        services.store.operations.gaps, scope, limit=paging.limit, cursor=paging.cursor
    )


@router.get("/latencies", operation_id="list_latencies", responses=returns(ListOf[LatencyRecord]))
async def list_latencies(
    services: ServicesDep,
    scope: MarketScope,
    minutes: Annotated[int, Query(ge=1, le=1_440, description="Length of each interval.")] = 1,
) -> Response:
    """Return latency percentiles (ns) of each hop by stream and interval; by default of the last hour."""
    until_ms = now_ms() if scope.until_ms is None else scope.until_ms
    since_ms = max(0, until_ms - HOUR_MS) if scope.since_ms is None else scope.since_ms
    if until_ms - since_ms > MAX_INTERVALS * minutes * MINUTE_MS:
        raise ApiError(422, f"more than {MAX_INTERVALS:,} intervals: choose a shorter time range or larger `minutes`")
    wanted = scope._replace(since_ms=since_ms, until_ms=until_ms)
    try:
        return await services.questions.whole(
            services.store.operations.latencies, wanted, interval_ms=minutes * MINUTE_MS
        )
    except RangeTooLarge as error:
        raise ApiError(422, str(error)) from error


@router.get("/dead-letters", operation_id="list_dead_letters", responses=returns(PageOf[DeadLetter]))
async def list_dead_letters(services: ServicesDep, scope: AccountScope, paging: PageWanted) -> Response:
    """Return messages that could not be read, newest first, with the reason."""
    return await services.questions.page(
        services.store.operations.dead_letters, scope, limit=paging.limit, cursor=paging.cursor
    )
