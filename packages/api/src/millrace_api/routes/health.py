"""Whether the API lives and can serve, and what it counts of itself."""

import asyncio
from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from millrace_api.documents import answer, gives
from millrace_api.problems import Refusal
from millrace_api.services import Held, Services
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


@router.get("/health", operation_id="get_health", responses=gives(Health), openapi_extra={"security": []})
async def get_health() -> Response:
    """Say that the process lives; needs no token."""
    return answer(Health())


@router.get(
    "/ready",
    operation_id="get_readiness",
    responses=gives(Health, also={503: "The database or Redis does not answer."}),
    openapi_extra={"security": []},
)
async def get_readiness(held: Held) -> Response:
    """Say whether the database and Redis answer; needs no token."""
    away = [name for name in await asyncio.gather(_database(held), _redis(held)) if name is not None]
    if away:
        raise Refusal(503, f"not ready: {' and '.join(away)} does not answer", headers={"Retry-After": "2"})
    return answer(Health())


@router.get("/metrics", operation_id="get_metrics", responses=_TEXT)
async def get_metrics(held: Held) -> Response:
    """Return what this process counts, for Prometheus."""
    return Response(held.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _database(held: Services) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await held.store.ping()
    except (DatabaseUnavailable, TimeoutError):
        return "the database"
    return None


async def _redis(held: Services) -> str | None:
    try:
        await held.bus.ready(_PATIENCE_S)
    except Unreachable:
        return "Redis"
    return None
