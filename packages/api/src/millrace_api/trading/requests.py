"""Sending requests to trade, and waiting for their final responses, once for each idempotency key.

The id of a request is derived from its key, so the executor recognizes a repeated request too: at most one order is
placed even when the database has lost the key, or two API processes receive it at once.
"""

import asyncio
import contextlib
import hashlib
import time
from dataclasses import dataclass
from functools import partial
from typing import cast

import msgspec
from starlette.responses import Response as HttpResponse

from millrace_api.access.principal import Principal
from millrace_api.documents import json_response
from millrace_api.problems import ApiError, refused, unavailable
from millrace_api.services import Services
from millrace_bus import BusError, CommandRefused, MessageTooLarge, TooManyRequests, Unreachable
from millrace_core.clock import now_ms
from millrace_core.errors import MalformedRequest
from millrace_core.ids import RequestId, derived_request_id, new_request_id
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import RequestError, Response, ResponseStatus, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import (
    OrderRequest,
    Request,
    action_of,
    parse_request,
)
from millrace_store import DatabaseUnavailable, Scope
from millrace_store.queries.records import OrderHistory

_REDIS_TIMEOUT_S = 1.0
_POLL_S = 0.1
_DONE = 200


class AnswerPending(msgspec.Struct, frozen=True, rename="camel"):
    """A request that was sent and has no final answer yet."""

    request_id: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class TradeRequests:
    """Sends one caller's requests to trade."""

    services: Services
    caller: Principal

    async def submit(self, request: OrderRequest, key: str | None) -> HttpResponse:
        """Send a request and return its outcome as HTTP: 200 when done, 202 when there is no final answer yet.

        Raises:
            ApiError: it is malformed, its key was used for another request, or the executor rejected it.
        """
        tenant = self.caller.tenant
        whole = _checked(msgspec.structs.replace(request, request_id=request_id_of(tenant, key)))
        if key is None:
            final = await self._send(whole)
        else:
            final = await self._once(whole, key, digest_of(request))
        return _not_yet(str(whole.request_id)) if final is None else _http_response(final)

    async def _once(self, request: OrderRequest, key: str, digest: str) -> Response | None:
        """Send a request unless its key was used; return its final answer, or None if it takes too long."""
        access, tenant = self.services.store.access, self.caller.tenant
        known = await access.claim(tenant, key, digest, now_ms())
        if known is not None and known.digest != digest:
            raise ApiError(422, "this Idempotency-Key was already used for another request: use a new key")
        final = await (self._first(request, key) if known is None else self._known_answer(request, key, digest))
        if final is not None:
            # The order may be placed: without a database, dbsync's row of the answer stands for ours later.
            with contextlib.suppress(DatabaseUnavailable):
                await access.answered(tenant, key, _DONE, encode(final).decode())
        return final

    async def _first(self, request: OrderRequest, key: str) -> Response | None:
        """Send a request whose key is new; release the key when nothing could be sent."""
        try:
            return await self._send(request)
        except ApiError:
            await self.services.store.access.release(self.caller.tenant, key)
            raise

    async def _known_answer(self, request: OrderRequest, key: str, digest: str) -> Response | None:
        """Wait until the first sender or dbsync has stored the answer to a repeated request.

        Raises:
            ApiError: nothing shows that it was sent, for its first sender may have ended before.
        """
        store, tenant = self.services.store, self.caller.tenant
        ends_s = time.monotonic() + self.services.config.answer_timeout_ms / 1_000
        while True:
            known = await store.access.claim(tenant, key, digest, now_ms())
            if known is None:
                # The first sender could not send, and released the key.
                return await self._first(request, key)
            if known.body is not None:
                with contextlib.suppress(*UNREADABLE):
                    return msgspec.json.decode(known.body, type=Response)
            history = await store.account.order_history(Scope(tenant), request_id=str(request.request_id))
            if history is not None and (final := final_answer(history)) is not None:
                return final
            if time.monotonic() >= ends_s:
                if history is None:
                    raise _unknown(str(request.request_id))
                return None
            await asyncio.sleep(_POLL_S)

    async def _send(self, request: OrderRequest) -> Response | None:
        """Send a request and return its final answer; None if it takes too long.

        Raises:
            ApiError: Redis does not answer, or does not take it; nothing was sent.
        """
        services = self.services
        try:
            await services.bus.ready(_REDIS_TIMEOUT_S)
        except Unreachable as error:
            raise unavailable("Redis") from error
        stream, request_id = _response_stream(self.caller, request), str(request.request_id)
        async with services.responses.awaiting(stream, request_id) as due:
            try:
                services.bus.requests.publish(self.caller.tenant, request, on_lost=partial(_on_lost, due))
            except MessageTooLarge as error:
                raise ApiError(422, str(error)) from error
            except TooManyRequests as error:
                raise refused(str(error)) from error
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(services.config.answer_timeout_ms / 1_000):
                    return await asyncio.shield(due)
        return None


def _unknown(request_id: str) -> ApiError:
    text = (
        "it is not known whether the request with this Idempotency-Key was sent: repeat it, or look at "
        f"/api/v1/requests/{request_id}; if that stays unknown while dbsync stores, use a new key"
    )
    return ApiError(503, text)


def _on_lost(due: "asyncio.Future[Response]", request_id: RequestId, error: BusError) -> None:
    """End the wait for the answer to a request that Redis certainly does not hold."""
    if isinstance(error, CommandRefused) and not due.done():
        due.set_exception(refused(str(error)))
        due.exception()  # Nobody may wait any more: then it is not to be reported as forgotten.


def _checked(request: OrderRequest) -> OrderRequest:
    """Return the request, checked by the executor's own rules.

    Raises:
        ApiError: it has mistakes; all are listed.
    """
    try:
        parse_request(encode(request))
    except MalformedRequest as error:
        raise ApiError(422, "invalid request; nothing was sent", problems=error.problems) from error
    return request


def final_answer(history: OrderHistory) -> Response | None:
    """Return a request's stored final answer, or None."""
    for record in reversed(history.responses):
        if record.status != "unknown":
            error = RequestError(record.error_kind, record.error_message or "") if record.error_kind else None
            order = None if history.order is None else history.order.order
            status = cast(ResponseStatus, record.status)
            return Response(record.request_id, status, order, record.order_source, error)
    return None


def _response_stream(caller: Principal, request: OrderRequest) -> StreamName:
    symbol = request.payload.symbol
    return StreamName(
        caller.tenant,
        ExchangeId(str(request.exchange_id)),
        Action(action_of(request)),
        None if symbol is None else Symbol(symbol),
    )


def _not_yet(request_id: str) -> HttpResponse:
    detail = f"sent; no final answer yet: GET /api/v1/requests/{request_id}, or repeat with the same Idempotency-Key"
    headers = {"Location": f"/api/v1/requests/{request_id}"}
    return json_response(AnswerPending(request_id, "sent", detail), 202, headers)


def _http_response(final: Response) -> HttpResponse:
    if final.status == "done":
        return json_response(final)
    reason = f"{final.error.kind}: {final.error.message}" if final.error else "no reason given"
    raise ApiError(422, f"{final.status}: {reason}", answer=final)


def request_id_of(tenant: Tenant, key: str | None) -> RequestId:
    """Return the request id derived from a key; a new one without a key."""
    if key is None:
        return new_request_id()
    return derived_request_id(f"{tenant}\n{key}")


def digest_of(request: Request) -> str:
    """Return a digest of the request, by which another request with the same key is detected."""
    return hashlib.sha256(msgspec.json.encode(request, order="sorted")).hexdigest()
