"""Whether the API lives and can serve, and what it counts of itself."""

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

_PATIENCE_S = 1.0
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Health(msgspec.Struct, frozen=True):
    """That all is well."""

    status: Literal["ok"] = "ok"


@router.get("/health", operation_id="get_health", responses=returns(Health), openapi_extra={"security": []})
async def get_health() -> Response:
    """Say that the process lives; needs no token."""
    return json_response(Health())


@router.get(
    "/ready",
    operation_id="get_readiness",
    responses=returns(Health, also={503: "The database or Redis does not answer."}),
    openapi_extra={"security": []},
)
async def get_readiness(services: ServicesDep) -> Response:
    """Say whether the database and Redis answer; needs no token."""
    away = [name for name in await asyncio.gather(_database(services), _redis(services)) if name is not None]
    if away:
        raise ApiError(503, f"not ready: {' and '.join(away)} does not answer", headers={"Retry-After": "2"})
    return json_response(Health())


@router.get("/metrics", operation_id="get_metrics", responses=_TEXT)
async def get_metrics(services: ServicesDep) -> Response:
    """Return what this process counts, for Prometheus."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _database(services: Services) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await services.store.ping()
    except (DatabaseUnavailable, TimeoutError):
        return "the database"
    return None


async def _redis(services: Services) -> str | None:
    try:
        await services.bus.ready(_PATIENCE_S)
    except Unreachable:
        return "Redis"
    return None
