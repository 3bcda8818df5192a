"""Agents' heartbeats: now, live and in the past; and their units run afresh on request."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from millrace_api.access.principal import Caller, needs
from millrace_api.agents import AgentView, agents_now, may_restart, read_heartbeats, view_for
from millrace_api.configs.ownership import may_know_of, named_in
from millrace_api.documents import ListOf, PageOf, accepts, body_of, json_response, returns
from millrace_api.parameters import PageWanted, TenantQuery, tenant_of
from millrace_api.problems import ApiError, not_found, unavailable
from millrace_api.services import ServicesDep, redis, redis_change
from millrace_core.names import AgentId
from millrace_core.near_names import did_you_mean

router = APIRouter(prefix="/agents", tags=["agents"])

_HEARTBEATS: Final = 100
"""In one page: each may be 20 kB, and what others may not see is removed here."""
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `agent` with an agent's state, `gone` with its id.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("", operation_id="list_agents", responses=returns(ListOf[AgentView]))
async def list_agents(services: ServicesDep, caller: Caller, tenant: TenantQuery = None) -> Response:
    """Return the running agents, each with the tenant's units and the public ones."""
    tenant_of(caller, tenant)
    running = await redis(agents_now(services.bus))
    return json_response(ListOf([agent.view(caller) for agent in running if agent.is_known_to(caller)]))


@router.get("/events", operation_id="follow_agents", responses=_EVENTS, response_class=StreamingResponse)
async def follow_agents(
    services: ServicesDep,
    caller: Caller,
    tenant: TenantQuery = None,
    seconds: Annotated[float, Query(ge=0, le=86_400, description="Seconds until the stream is closed.")] = 3_600.0,
) -> StreamingResponse:
    """Follow agents' states as server-sent events: first all, then each change."""
    tenant_of(caller, tenant)
    if not services.agents.has_room:
        raise ApiError(429, "event stream limit reached: close one first", headers={"Retry-After": "5"})
    events: AsyncIterator[bytes] = services.agents.events(caller, seconds)
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get(
    "/{agent_id}/history",
    operation_id="list_agent_history",
    responses=returns(PageOf[AgentView], also={404: "This agent has never run."}),
)
async def list_agent_history(
    services: ServicesDep,
    caller: Caller,
    agent_id: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")],
    paging: PageWanted,
    tenant: TenantQuery = None,
) -> Response:
    """Return an agent's stored heartbeats, newest first; 100 at a time at most."""
    tenant_of(caller, tenant)
    agent, limit = AgentId(agent_id), min(paging.limit, _HEARTBEATS)
    found = await services.store.operations.agent_history(agent, limit=limit, cursor=paging.cursor)
    named = named_in(await redis(services.bus.get_config(agent)))
    if (not found.rows and paging.cursor is None) or not may_know_of(caller, named):
        raise not_found("agent with this id")
    views = [view_for(caller, heartbeat) for heartbeat in read_heartbeats(found.rows)]
    return json_response(PageOf(views, found.next_cursor))


class UnitRestart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit to run afresh."""

    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """Its name in the agent's heartbeat, such as `StrankaXY.PingPong`."""


@router.post(
    "/{agent_id}/restart",
    operation_id="restart_unit",
    status_code=202,
    responses=returns(UnitRestart, status=202, also={404: "No agent with this id runs a unit of this name."}),
    openapi_extra=accepts(UnitRestart),
    dependencies=[Depends(needs("admin"))],
)
async def restart_unit(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    agent_id: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")],
    wanted: Annotated[UnitRestart, Depends(body_of(UnitRestart))],
    tenant: TenantQuery = None,
) -> Response:
    """Have an agent end a unit and run it afresh with the same configuration, also one that was stopped for good."""
    tenant_of(caller, tenant)
    request.state.audited = {"unit": wanted.unit}
    running = [heartbeat for heartbeat in await redis(services.bus.heartbeats()) if heartbeat.id == agent_id]
    units = [unit.name for heartbeat in running for unit in view_for(caller, heartbeat).units]
    if wanted.unit not in units:
        raise not_found(f"unit of this name in the agent{did_you_mean(wanted.unit, units)}")
    if not may_restart(caller, wanted.unit):
        raise ApiError(403, "this unit is not your tenant's: ask an operator to restart it")
    if not await redis_change(services.bus.request_restart(AgentId(agent_id), wanted.unit)):
        raise unavailable("the agent")
    return json_response(wanted, 202)
