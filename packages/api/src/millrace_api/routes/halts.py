"""Halting and resuming trading: for a tenant, an exchange or an order source."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from millrace_api.access.principal import Caller, needs
from millrace_api.documents import ListOf, accepts, body_of, json_response, returns
from millrace_api.parameters import ExchangeQuery, TenantQuery, tenant_of
from millrace_api.problems import not_found
from millrace_api.services import Services, ServicesDep, redis
from millrace_bus import HaltNote, HaltScope
from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId, Tenant
from millrace_core.requests import Halt, HaltPayload

router = APIRouter(tags=["trading"])

_SOURCE = r"^[^/*\x00]{1,128}$"


class HaltView(msgspec.Struct, frozen=True, rename="camel"):
    """A halt in force; without exchange and source it covers everything."""

    exchange: str | None
    order_source: str | None
    since: int
    """ms"""
    reason: str | None
    by: str | None


class NewHalt(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Scope of a new halt; without exchange and source, all of the tenant's trading."""

    exchange: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,32}$")] | None = None
    order_source: Annotated[str, msgspec.Meta(pattern=_SOURCE)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


@router.get("/halts", operation_id="list_halts", responses=returns(ListOf[HaltView]))
async def list_halts(services: ServicesDep, caller: Caller, tenant: TenantQuery = None) -> Response:
    """Return all halts in force."""
    return json_response(await _halts(services, tenant_of(caller, tenant, public=False)))


@router.post(
    "/halts",
    operation_id="halt",
    responses=returns(ListOf[HaltView]),
    openapi_extra=accepts(NewHalt),
    dependencies=[Depends(needs("trade"))],
)
async def halt(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    new: Annotated[NewHalt, Depends(body_of(NewHalt))],
    tenant: TenantQuery = None,
) -> Response:
    """Halt trading at once, whether or not an executor runs; return all halts in force."""
    of = tenant_of(caller, tenant, public=False)
    request.state.audited = {"halt": msgspec.to_builtins(new)}
    exchange = None if new.exchange is None else ExchangeId(new.exchange)
    note = HaltNote(since=now_ms(), reason=new.reason, by=caller.name)
    # An executor reads the note within a second of starting or running; the request makes it act at once.
    await redis(services.bus.halts.set(of, HaltScope(exchange, new.order_source), note))
    payload = HaltPayload(order_source=new.order_source, reason=new.reason, by=caller.name)
    services.bus.requests.publish(of, Halt(exchange_id=exchange, payload=payload))
    return json_response(await _halts(services, of))


@router.delete(
    "/halts",
    operation_id="resume",
    responses=returns(ListOf[HaltView], also={404: "There is no halt with exactly this scope."}),
    dependencies=[Depends(needs("trade"))],
)
async def resume(
    services: ServicesDep,
    caller: Caller,
    exchange: ExchangeQuery = None,
    source: Annotated[str | None, Query(pattern=_SOURCE)] = None,
    tenant: TenantQuery = None,
) -> Response:
    """Lift the halt with exactly this scope, effective within a second; return all halts in force."""
    of = tenant_of(caller, tenant, public=False)
    scope = HaltScope(None if exchange is None else ExchangeId(exchange), source)
    if not await redis(services.bus.halts.clear(of, scope)):
        raise not_found(f"halt with the scope {scope} (exchange/source)")
    return json_response(await _halts(services, of))


async def _halts(services: Services, tenant: Tenant) -> ListOf[HaltView]:
    found = await redis(services.bus.halts.get(tenant))
    return ListOf(
        [
            HaltView(scope.exchange, scope.order_source, note.since, note.reason, note.by)
            for scope, note in sorted(found.items(), key=lambda each: str(each[0]))
        ]
    )
