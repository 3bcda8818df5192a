"""Halting and resuming trading: for a tenant, an exchange or an order source; an operator does so for any tenant."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from millrace_api.access.principal import Caller, Principal, needs
from millrace_api.documents import ListOf, accepts, body_of, json_response, returns
from millrace_api.parameters import ExchangeQuery, tenant_of
from millrace_api.problems import ApiError, not_found
from millrace_api.services import ServicesDep
from millrace_api.trading.halts import Halted, Halts
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidName, Problem
from millrace_core.halts import HaltNote, HaltScope
from millrace_core.names import PUBLIC, ExchangeId, Tenant
from millrace_core.names import tenant as parse_tenant

router = APIRouter(tags=["trading"])

_SOURCE = r"^[^/*\x00]{1,128}$"
ALL: Final = "*"
"""Every tenant."""
HaltTenantQuery = Annotated[
    str | None,
    Query(max_length=64, description="Your own (the default). An operator may name any tenant."),
]


class HaltView(msgspec.Struct, frozen=True, rename="camel"):
    """A halt in force; without exchange and source it covers everything of the tenant."""

    tenant: str
    exchange: str | None
    order_source: str | None
    since: int
    """ms"""
    reason: str | None
    by: str | None
    stored: bool
    """Whether it is in the database too, and so outlives Redis; an executor stores it within seconds."""


class NewHalt(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Scope of a new halt; without exchange and source, all of the tenant's trading."""

    tenant: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """Your own if missing. An operator must name one, or `*` for all."""
    exchange: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,32}$")] | None = None
    order_source: Annotated[str, msgspec.Meta(pattern=_SOURCE)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    cancel_orders: bool = False
    """Whether the executor cancels all open orders of the accounts too; not for one source alone."""


@router.get("/halts", operation_id="list_halts", responses=returns(ListOf[HaltView]))
async def list_halts(services: ServicesDep, caller: Caller, tenant: HaltTenantQuery = None) -> Response:
    """Return all halts in force; for an operator who names no tenant, of all tenants."""
    halts = Halts(services)
    tenants = await _concerned(halts, caller, tenant or _default(caller, ALL))
    return _listed(tenants, [await halts.halted(each) for each in tenants])


@router.post(
    "/halts",
    operation_id="halt",
    responses=returns(ListOf[HaltView]),
    openapi_extra=accepts(NewHalt),
    dependencies=[Depends(needs("trade"))],
)
async def halt(
    request: Request, services: ServicesDep, caller: Caller, new: Annotated[NewHalt, Depends(body_of(NewHalt))]
) -> Response:
    """Halt trading at once, whether or not an executor runs; return all halts in force of whom it concerns."""
    if new.cancel_orders and new.order_source is not None:
        what_to_do = "cancels all orders of an account: leave orderSource out"
        problems = [Problem("cancelOrders", what_to_do)]
        raise ApiError(422, f"cancelOrders {what_to_do}; nothing was changed", problems=problems)
    halts = Halts(services)
    tenants = await _concerned(halts, caller, new.tenant or _default(caller, None))
    request.state.audited = {"halt": msgspec.to_builtins(new), "tenants": tenants}
    scope = HaltScope(None if new.exchange is None else ExchangeId(new.exchange), new.order_source)
    note = HaltNote(since=now_ms(), reason=new.reason, by=caller.name)
    return _listed(tenants, await halts.halt(tenants, scope, note, cancel_orders=new.cancel_orders))


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
    tenant: HaltTenantQuery = None,
) -> Response:
    """Lift the halt with exactly this scope, effective within a second; return all halts in force of the tenant."""
    if tenant == ALL:
        raise _unnamed("name one tenant: what is halted of another may be halted by that tenant itself")
    halts = Halts(services)
    (concerned,) = await _concerned(halts, caller, tenant or _default(caller, None))
    scope = HaltScope(None if exchange is None else ExchangeId(exchange), source)
    resumed = await halts.resume(concerned, scope)
    if resumed is None:
        raise not_found(f"halt with the scope {scope} (exchange/source)")
    return _listed([concerned], [resumed])


def _default(caller: Principal, of_operator: str | None) -> str:
    """Return whom a caller concerns that names no tenant.

    Raises:
        ApiError: an operator must name one; PUBLIC itself has no trading.
    """
    if caller.tenant != PUBLIC:
        return caller.tenant
    if of_operator is None:
        raise _unnamed("name a tenant (`*` halts all): PUBLIC, to which this token belongs, does not trade")
    return of_operator


async def _concerned(halts: Halts, caller: Principal, wanted: str) -> list[Tenant]:
    """Return the tenants that a caller names.

    Raises:
        ApiError: they are not the caller's own and it is no operator, or there is no such tenant.
    """
    if not caller.is_operator:
        return [tenant_of(caller, wanted, public=False)]
    known = await halts.tenants()
    if wanted == ALL:
        return known
    try:
        named = parse_tenant(wanted)
    except InvalidName as error:
        raise _unnamed(str(error)) from error
    if named not in known:
        raise ApiError(404, f"there is no tenant {named}; there are: {', '.join(known) or 'none'}")
    return [named]


def _unnamed(what_to_do: str) -> ApiError:
    return ApiError(422, f"{what_to_do}; nothing was changed", problems=[Problem("tenant", what_to_do)])


def _listed(tenants: list[Tenant], found: list[Halted]) -> Response:
    return json_response(ListOf([view for each in zip(tenants, found, strict=True) for view in _views(*each)]))


def _views(tenant: Tenant, found: Halted) -> list[HaltView]:
    return [
        HaltView(
            tenant,
            scope.exchange,
            scope.order_source,
            note.since,
            note.reason,
            note.by,
            found.stored is not None and scope in found.stored.halts,
        )
        for scope, note in sorted(found.known.halts.items(), key=lambda each: str(each[0]))
    ]
