"""Carries a request to trade to the executor, and its answer back, once for each idempotency key."""

import asyncio
import contextlib
from dataclasses import dataclass

import msgspec
from starlette.responses import Response as HttpResponse

from millrace_api.access.principal import Principal
from millrace_api.documents import answer
from millrace_api.problems import Refusal, unavailable
from millrace_api.services import Services
from millrace_api.trading.idempotency import digest_of, request_id_of
from millrace_bus import Unreachable
from millrace_core.clock import now_ms
from millrace_core.errors import MalformedRequest
from millrace_core.messages import Response, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, action_of, parse_request

Trade = CreateOrder | EditOrder | CancelOrder | CancelAllOrders

_REDIS_PATIENCE_S = 1.0


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
            Refusal: it is malformed, was used for something else, or the executor said no.
        """
        tenant = self.caller.tenant
        digest = digest_of(request)
        whole = _checked(msgspec.structs.replace(request, request_id=request_id_of(tenant, key)))
        is_first = True
        if key is not None:
            known = await self.services.store.access.claim(tenant, key, digest, now_ms())
            if known is not None and known.digest != digest:
                raise Refusal(422, "this Idempotency-Key was used for another request: take a new one for this")
            if known is not None and known.status is not None:
                return _as_http(msgspec.json.decode(known.body or "", type=Response))
            is_first = known is None
        final = await self._exchange(whole, send=is_first)
        if final is None:
            return _not_yet(str(whole.request_id))
        if key is not None:
            await self.services.store.access.answered(tenant, key, 200, encode(final).decode())
        return _as_http(final)

    async def _exchange(self, request: Trade, *, send: bool) -> Response | None:
        """Send a request and give its final answer; None when it did not come in time.

        One that was sent before is not sent again: whoever comes late waits for the same answer.
        """
        services = self.services
        try:
            await services.bus.ready(_REDIS_PATIENCE_S)
        except Unreachable as error:
            raise unavailable("Redis") from error
        stream, request_id = _answers_to(self.caller, request), str(request.request_id)
        async with services.answers.expected(stream, request_id) as due:
            if send:
                services.bus.requests.publish(self.caller.tenant, request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(services.config.answer_timeout_ms / 1_000):
                    return await asyncio.shield(due)
        return None


def _checked(request: Trade) -> Trade:
    """Check a request as the executor will.

    Raises:
        Refusal: it has mistakes; all are named.
    """
    try:
        parse_request(encode(request))
    except MalformedRequest as error:
        raise Refusal(422, "this request has mistakes; nothing was sent", problems=error.problems) from error
    return request


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
    return answer(Accepted(request_id, "sent", detail), 202, headers)


def _as_http(final: Response) -> HttpResponse:
    if final.status == "done":
        return answer(final)
    reason = f"{final.error.kind}: {final.error.message}" if final.error else "no reason was given"
    raise Refusal(422, f"{final.status}: {reason}", answer=final)
