"""Liveness, readiness and metrics of the API."""

import asyncio
from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from millrace_api.documents import json_response, returns
from millrace_api.problems import ApiError
from millrace_api.services import Services, ServicesDep
from millrace_bus import Unreachable
from millrace_store import DatabaseUnavailable

router = APIRouter(tags=["health"])

_TIMEOUT_S = 1.0
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Health(msgspec.Struct, frozen=True):
    """A positive health check."""

    status: Literal["ok"] = "ok"


@router.get("/health", operation_id="get_health", responses=returns(Health), openapi_extra={"security": []})
async def get_health() -> Response:
    """Report that the process runs; needs no token."""
    return json_response(Health())


@router.get(
    "/ready",
    operation_id="get_readiness",
    responses=returns(Health, also={503: "The database or Redis does not answer."}),
    openapi_extra={"security": []},
)
async def get_readiness(services: ServicesDep) -> Response:
    """Report whether the database and Redis answer; needs no token."""
    unavailable = [name for name in await asyncio.gather(_database(services), _redis(services)) if name is not None]
    if unavailable:
        raise ApiError(503, f"not ready: {' and '.join(unavailable)} does not answer", headers={"Retry-After": "2"})
    return json_response(Health())


@router.get("/metrics", operation_id="get_metrics", responses=_TEXT)
async def get_metrics(services: ServicesDep) -> Response:
    """Return this process's metrics for Prometheus."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _database(services: Services) -> str | None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await services.store.ping()
    except (DatabaseUnavailable, TimeoutError):
        return "the database"
    return None


async def _redis(services: Services) -> str | None:
    try:
        await services.bus.ready(_TIMEOUT_S)
    except Unreachable:
        return "Redis"
    return None
