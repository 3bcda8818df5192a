"""Authentication, limits and audit of every HTTP request, before any route is looked up."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace_api.access.audit import NOBODY, entry
from millrace_api.access.authentication import SAFE, revoked
from millrace_api.access.budget import Kind
from millrace_api.access.ending import Ending
from millrace_api.access.incoming import Incoming
from millrace_api.access.principal import Principal
from millrace_api.problems import ApiError
from millrace_service.redaction import clean_text

if TYPE_CHECKING:
    from millrace_api.services import Services

OPEN = frozenset(
    {
        *(("GET", path) for path in ("/health", "/ready", "/docs", "/api/v1/openapi.json")),
        *(("POST", path) for path in ("/api/v1/session", "/api/v1/session/code")),
    }
)
"""Served without authentication. The two that sign in read a token or a code from their body; /docs and openapi.json
are made from the code alone, and are the same for every caller."""
_CHECKS: Final = ("/config/validate", "/config/diff")
"""They change nothing, and are sent by POST since they have a body."""
CLIENT_LEFT: Final = 499
"""The status of a response that was never sent, since the client had left."""
DENIED = (401, 403)
_MOST_CLEANED: Final = 4_096
"""Characters of an address that are searched for secrets: the trail keeps a few hundred of them."""


class AccessMiddleware:
    """Authenticates requests, counts them, and audits changes and denials."""

    def __init__(self, app: ASGIApp, services: "Services") -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        send_response = _RecordingSend(send, lambda status: self._record(request, status))
        begun_s = time.perf_counter()
        try:
            await self._serve(request, receive, send_response)
        finally:
            self._count(scope, send_response.status, time.perf_counter() - begun_s)

    async def _serve(self, request: Request, receive: Receive, send_response: "_RecordingSend") -> None:
        authenticator = self._services.authenticator
        principal: Principal | None = None
        try:
            if (request.method, request.url.path) not in OPEN:
                principal = await authenticator.identify(request.headers, address_of(request))
                request.state.principal = principal
                authenticator.admit(principal, request.headers, request.method)
            if principal is None:
                await self._app(request.scope, receive, send_response)
            else:
                await self._hold(principal, request, receive, send_response)
        except ApiError as refusal:
            await self._reject(request, refusal)(request.scope, receive, send_response)

    async def _hold(
        self, principal: Principal, request: Request, receive: Receive, send_response: "_RecordingSend"
    ) -> None:
        """Serve a request until it is answered, or its token is no longer in force."""
        async with Ending() as ending, AsyncExitStack() as held:
            held.enter_context(self._services.authenticator.holdings.held(principal.token_id, ending.end))
            if is_question(request):
                # A change is carried out even if nobody waits for its outcome.
                receive = await held.enter_async_context(Incoming(receive, ending.end))
                budget = self._services.authenticator.budget
                await held.enter_async_context(budget.spending(principal.tenant, kind_of(request.url.path)))
            await self._app(request.scope, receive, send_response)
        has_left = isinstance(receive, Incoming) and receive.has_left
        if ending.has_ended and not send_response.has_begun and not has_left:
            await revoked().response()(request.scope, receive, send_response)

    def _reject(self, request: Request, refusal: ApiError) -> ASGIApp:
        request.state.reason = str(refusal)
        if refusal.status in DENIED:
            try:
                self._services.authenticator.failed(address_of(request))
            except ApiError as too_many:
                return too_many.response()
        return refusal.response()

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # Never the path: each id in it would create a time series.
        operation = _operation(scope) or "-"
        self._services.metrics.requests.labels(operation, str(status)).inc()
        self._services.metrics.seconds.labels(operation).observe(seconds)

    async def _record(self, request: Request, status: int) -> None:
        operation = _operation(request.scope)
        is_denial = status in DENIED or (status == 404 and operation is not None)
        if not is_denial and (is_question(request) or status == 429):
            return
        principal: Principal | None = getattr(request.state, "principal", None)
        action = operation or f"{request.method} {clean_text(request.url.path[:_MOST_CLEANED])[:128]}"
        found = {"status": status, "reason": getattr(request.state, "reason", None)}
        detail = {name: value for name, value in found.items() if value is not None} | getattr(
            request.state, "audited", {}
        )
        if is_denial and principal is not None:
            refusals = self._services.authenticator.refusals
            # What no route has is one action, whatever its path.
            refusals.note(principal, address_of(request), _target(request), operation or "no route", detail)
            return
        tenant = principal.tenant if principal else NOBODY
        # What an operator does for a tenant stands in the trail of both.
        for each in dict.fromkeys((tenant, getattr(request.state, "concerns", tenant))):
            self._services.authenticator.trail.add(
                entry(
                    action=action,
                    outcome="denied" if is_denial else _outcome(status),
                    tenant=each,
                    actor=principal.token_id if principal else NOBODY,
                    target=_target(request),
                    address=address_of(request),
                    detail=detail,
                )
            )
        if not is_question(request) and not is_denial:
            await self._services.authenticator.trail.settled()


class _RecordingSend:
    """Sends a response once it is audited, and remembers its status."""

    def __init__(self, send: Send, record: Callable[[int], Awaitable[None]]) -> None:
        self._send, self._record = send, record
        self.status = CLIENT_LEFT
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            await self._record(self.status)
        await self._send(message)


def is_question(request: Request) -> bool:
    """Tell whether a request changes nothing, whatever its method: it ends when its client leaves, and is no change."""
    return request.method in SAFE or (request.method == "POST" and request.url.path.endswith(_CHECKS))


def kind_of(path: str) -> Kind:
    """Return of which of its tenant's budgets a question at a path takes."""
    if path.startswith("/api/v1/exports/"):
        return "exports"
    return "event streams" if path == "/api/v1/agents/events" else "questions"


def _operation(scope: Scope) -> str | None:
    """Return the OpenAPI operation id of a request; None when no route was matched."""
    name: str | None = getattr(scope.get("route"), "operation_id", None)
    return name


def address_of(request: Request) -> str:
    """Return the client's address."""
    return request.client.host if request.client else NOBODY


def _outcome(status: int) -> str:
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


def _target(request: Request) -> str:
    query = request.url.query
    # Denied requests are recorded too: among them those that bring a token in the address.
    return clean_text((f"{request.url.path}?{query}" if query else request.url.path)[:_MOST_CLEANED])
