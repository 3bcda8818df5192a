"""A tenant's tokens, created, listed and revoked by its admins or an operator; and its audit trail."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from millrace_api.access.principal import Caller, needs
from millrace_api.documents import ListOf, PageOf, accepts, body_of, json_response, returns
from millrace_api.parameters import AdministeredQuery, PageWanted, TenantQuery, administered, tenant_of
from millrace_api.problems import ApiError, not_found
from millrace_api.services import ServicesDep
from millrace_api.times import Timestamp
from millrace_core.clock import LATEST_MS, now_ms
from millrace_core.errors import Problem
from millrace_store import Conflict, Full
from millrace_store.queries.records import AuditRecord, TokenRecord

router = APIRouter(tags=["access"], dependencies=[Depends(needs("admin"))])


class TokenView(msgspec.Struct, frozen=True, rename="camel"):
    """Token metadata, without its secret."""

    id: str
    name: str
    role: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None


class NewToken(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A token to create."""

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9 ._@-]{1,64}$")]
    role: Literal["read", "trade", "admin"]
    expires_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)] | None = None


class MadeToken(msgspec.Struct, frozen=True, rename="camel"):
    """A token that was created."""

    token: str
    """Shown only once: keep it safe."""
    id: str
    name: str
    role: str
    expires_ms: int | None


@router.get("/tokens", operation_id="list_tokens", responses=returns(ListOf[TokenView]))
async def list_tokens(services: ServicesDep, caller: Caller, tenant: AdministeredQuery = None) -> Response:
    """Return the tenant's tokens, including revoked ones."""
    found = await services.store.access.tokens(administered(caller, tenant))
    return json_response(ListOf([view(record) for record in found]))


@router.post(
    "/tokens",
    operation_id="create_token",
    responses=returns(MadeToken, status=201, also={409: "The tenant has a token with this name, or too many."}),
    openapi_extra=accepts(NewToken),
    status_code=201,
)
async def create_token(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    new: Annotated[NewToken, Depends(body_of(NewToken))],
    tenant: AdministeredQuery = None,
) -> Response:
    """Create a token; its text is shown only once."""
    of = administered(caller, tenant)
    if new.expires_ms is not None and new.expires_ms <= now_ms():
        past = Problem("$.expiresMs", "lies in the past; it is ms since 1970")
        raise ApiError(422, "already expired; no token was created", problems=[past])
    token, record = await services.authenticator.hashing.new_token(of, new.name, new.role, new.expires_ms)
    most = services.config.tenant_limits.tokens
    try:
        await services.store.access.add_token(record, most=most)
    except Full as error:
        text = (
            f"the tenant {of} has {most:,} tokens in force: revoke those that nobody uses (lastUsedMs of GET /tokens)"
        )
        raise ApiError(409, f"{text}, or raise tenantLimits.tokens of the API; no token was created") from error
    except Conflict as error:
        raise ApiError(409, f"this tenant already has a token named {new.name}: choose another name") from error
    request.state.audited = {"token": record.id, "name": new.name, "role": new.role}
    request.state.concerns = of
    return json_response(MadeToken(str(token), record.id, record.name, record.role, record.expires_ms), 201)


@router.delete(
    "/tokens/{token_id}",
    operation_id="revoke_token",
    responses=returns(TokenView, also={404: "No token with this id is in force."}),
)
async def revoke_token(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    token_id: Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")],
    tenant: AdministeredQuery = None,
) -> Response:
    """Revoke a token: it stops working at once in this process, and within 5 s in others."""
    of = administered(caller, tenant)
    if not await services.store.access.revoke_token(of, token_id, now_ms()):
        raise not_found("token with this id in force")
    request.state.concerns = of
    services.authenticator.end(token_id)
    record = await services.store.access.token(token_id)
    if record is None:
        raise not_found("token with this id")
    return json_response(view(record))


@router.get("/audit", operation_id="list_audit", responses=returns(PageOf[AuditRecord]))
async def list_audit(
    services: ServicesDep,
    caller: Caller,
    paging: PageWanted,
    tenant: TenantQuery = None,
    since: Annotated[Timestamp | None, Query()] = None,
    until: Annotated[Timestamp | None, Query()] = None,
) -> Response:
    """Return the tenant's audit trail, newest first."""
    of = tenant_of(caller, tenant, public=False)
    return await services.questions.page(
        services.store.access.audit, of, since_ms=since, until_ms=until, limit=paging.limit, cursor=paging.cursor
    )


def view(record: TokenRecord) -> TokenView:
    """Return a token without its secret."""
    return TokenView(
        id=record.id,
        name=record.name,
        role=record.role,
        created_ms=record.created_ms,
        expires_ms=record.expires_ms,
        revoked_ms=record.revoked_ms,
        last_used_ms=record.last_used_ms,
    )
