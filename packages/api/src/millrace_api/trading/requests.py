"""Carries a request to trade to the executor, and its answer back, once for each idempotency key."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import cast

import msgspec
from starlette.responses import Response as HttpResponse

from millrace_api.access.principal import Principal
from millrace_api.documents import json_response
from millrace_api.problems import ApiError, unavailable
from millrace_api.services import Services
from millrace_api.trading.idempotency import digest_of, request_id_of
from millrace_bus import Unreachable
from millrace_core.clock import now_ms
from millrace_core.errors import MalformedRequest
from millrace_core.messages import RequestError, Response, ResponseStatus, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, action_of, parse_request
from millrace_store import Scope
from millrace_store.records import OrderStory

Trade = CreateOrder | EditOrder | CancelOrder | CancelAllOrders

_REDIS_PATIENCE_S = 1.0
_LOOK_S = 0.1
_DONE = 200


class Accepted(msgspec.Struct, frozen=True, rename="camel"):
    """A request that was sent and has no final answer yet."""

    request_id: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Carries one caller's requests."""

    services: Services
    caller: Principal

    async def carry(self, request: Trade, key: str | None) -> HttpResponse:
        """Send a request, wait for its answer, and give that as HTTP: 200 done, 202 not known yet.

        Raises:
            ApiError: it is malformed, was used for something else, or the executor said no.
        """
        tenant = self.caller.tenant
        whole = _checked(msgspec.structs.replace(request, request_id=request_id_of(tenant, key)))
        if key is None:
            final = await self._exchange(whole)
        else:
            final = await self._once(whole, key, digest_of(request))
        return _not_yet(str(whole.request_id)) if final is None else _as_http(final)

    async def _once(self, request: Trade, key: str, digest: str) -> Response | None:
        """Send a request unless its key was used; give its final answer, or None when it did not come in time."""
        access, tenant = self.services.store.access, self.caller.tenant
        known = await access.claim(tenant, key, digest, now_ms())
        if known is not None and known.digest != digest:
            raise ApiError(422, "this Idempotency-Key was used for another request: take a new one for this")
        final = await (self._first(request, key) if known is None else self._known_answer(request, key, digest))
        if final is not None:
            await access.answered(tenant, key, _DONE, encode(final).decode())
        return final

    async def _first(self, request: Trade, key: str) -> Response | None:
        """Send a request whose key was never used; the key is free again where nothing could be sent."""
        try:
            return await self._exchange(request)
        except ApiError:
            await self.services.store.access.release(self.caller.tenant, key)
            raise

    async def _known_answer(self, request: Trade, key: str, digest: str) -> Response | None:
        """Wait for the answer to a request that was sent before: whoever sent it keeps it, and so does dbsync."""
        store, tenant = self.services.store, self.caller.tenant
        ends_s = time.monotonic() + self.services.config.answer_timeout_ms / 1_000
        while True:
            known = await store.access.claim(tenant, key, digest, now_ms())
            if known is None:
                # Whoever had the key could not send, and gave it back.
                return await self._first(request, key)
            if known.body is not None:
                return msgspec.json.decode(known.body, type=Response)
            story = await store.account.story(Scope(tenant), request_id=str(request.request_id))
            if story is not None and (final := final_answer(story)) is not None:
                return final
            if time.monotonic() >= ends_s:
                return None
            await asyncio.sleep(_LOOK_S)

    async def _exchange(self, request: Trade) -> Response | None:
        """Send a request and give its final answer; None when it did not come in time.

        Raises:
            ApiError: Redis does not answer; nothing was sent.
        """
        services = self.services
        try:
            await services.bus.ready(_REDIS_PATIENCE_S)
        except Unreachable as error:
            raise unavailable("Redis") from error
        stream, request_id = _answers_to(self.caller, request), str(request.request_id)
        async with services.answers.expected(stream, request_id) as due:
            services.bus.requests.publish(self.caller.tenant, request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(services.config.answer_timeout_ms / 1_000):
                    return await asyncio.shield(due)
        return None


def _checked(request: Trade) -> Trade:
    """Check a request as the executor will.

    Raises:
        ApiError: it has mistakes; all are named.
    """
    try:
        parse_request(encode(request))
    except MalformedRequest as error:
        raise ApiError(422, "this request has mistakes; nothing was sent", problems=error.problems) from error
    return request


def final_answer(story: OrderStory) -> Response | None:
    """Return the final answer of a request as it is stored; None while there is none."""
    for record in reversed(story.responses):
        if record.status != "unknown":
            error = RequestError(record.error_kind, record.error_message or "") if record.error_kind else None
            order = None if story.order is None else story.order.order
            status = cast(ResponseStatus, record.status)
            return Response(record.request_id, status, order, record.order_source, error)
    return None


def _answers_to(caller: Principal, request: Trade) -> StreamName:
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
    return json_response(Accepted(request_id, "sent", detail), 202, headers)


def _as_http(final: Response) -> HttpResponse:
    if final.status == "done":
        return json_response(final)
    reason = f"{final.error.kind}: {final.error.message}" if final.error else "no reason was given"
    raise ApiError(422, f"{final.status}: {reason}", answer=final)
