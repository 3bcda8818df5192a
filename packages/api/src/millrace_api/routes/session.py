"""Browser sessions: a token is exchanged for a cookie once and is never kept in the page."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from millrace_api.access import sign_in_codes
from millrace_api.access.audit import entry
from millrace_api.access.middleware import DENIED, address_of
from millrace_api.access.principal import Caller, Principal
from millrace_api.access.sessions import COOKIE, LIFETIME_S, cookie_in
from millrace_api.documents import ListOf, accepts, body_of, json_response, returns
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep

router = APIRouter(prefix="/session", tags=["access"])

MAX_SIGN_IN: Final = 4_096
"""Bytes of a stranger's body: however many strangers send one, they fill no memory."""


class LogIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token to log in with."""

    token: Annotated[str, msgspec.Meta(max_length=128)]


class SessionView(msgspec.Struct, frozen=True, rename="camel"):
    """The authenticated caller."""

    tenant: str
    name: str
    role: str
    is_operator: bool
    csrf: str | None
    """To be sent as X-CSRF-Token with every change; null for tokens, which need none."""


class UsedCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in code, which works once."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=sign_in_codes.MAX_LENGTH)]


class CodeToken(msgspec.Struct, frozen=True):
    """A token that a sign-in code stood for."""

    tenant: str
    token: str
    """Shown only once."""


_LOGGED_IN: dict[int | str, dict[str, Any]] = returns(SessionView)


@router.post("", operation_id="log_in", responses=_LOGGED_IN, openapi_extra=accepts(LogIn) | {"security": []})
async def log_in(
    request: Request, services: ServicesDep, wanted: Annotated[LogIn, Depends(body_of(LogIn, MAX_SIGN_IN))]
) -> Response:
    """Start a browser's session with a token."""
    try:
        cookie, principal = await services.authenticator.log_in(wanted.token, request.headers, address_of(request))
    except ApiError as refusal:
        if refusal.status in DENIED:
            services.authenticator.failed(address_of(request))
        raise
    request.state.principal = principal
    response = json_response(_view(principal))
    response.set_cookie(
        COOKIE, cookie, max_age=LIFETIME_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return response


@router.post(
    "/code",
    operation_id="use_sign_in_code",
    responses=returns(ListOf[CodeToken]),
    openapi_extra=accepts(UsedCode) | {"security": []},
)
async def use_sign_in_code(
    request: Request, services: ServicesDep, wanted: Annotated[UsedCode, Depends(body_of(UsedCode, MAX_SIGN_IN))]
) -> Response:
    """Exchange a sign-in code for the tokens that it stands for; it works once."""
    services.authenticator.may_try(address_of(request))
    made = await sign_in_codes.use(services.store, wanted.code)
    if not made:
        services.authenticator.failed(address_of(request))
        raise ApiError(401, "this sign-in code was used before, is too old or unknown; `millrace sign-in` makes one")
    for _, record in made:
        services.authenticator.trail.add(
            entry(
                action="create_token",
                outcome="done",
                tenant=record.tenant,
                actor="sign-in code",
                address=address_of(request),
                detail={"token": record.id, "name": record.name, "role": record.role},
            )
        )
    return json_response(ListOf([CodeToken(record.tenant, str(token)) for token, record in made]))


@router.get("", operation_id="get_session", responses=returns(SessionView))
async def get_session(caller: Caller) -> Response:
    """Return the authenticated caller, and a session's CSRF secret."""
    return json_response(_view(caller))


@router.delete("", operation_id="log_out", responses=returns(SessionView))
async def log_out(request: Request, services: ServicesDep, caller: Caller) -> Response:
    """End this browser's session."""
    services.authenticator.sessions.end(cookie_in(request.headers) or "")
    response = json_response(_view(caller))
    response.delete_cookie(COOKIE)
    return response


def _view(principal: Principal) -> SessionView:
    return SessionView(principal.tenant, principal.name, principal.role, principal.is_operator, principal.csrf)
