"""A request in the executor's hands: what arrived on `{tenant}.traderActions`, parsed, with what its answer needs.

Reading is pure. However little of an arrival can be read, it has a request id and a stream for its answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from millrace_bus import Arrived
from millrace_core.errors import MalformedRequest, Problem, RequestParts
from millrace_core.ids import RequestId, derived_request_id
from millrace_core.messages import RequestError, Response, ResponseStatus
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, is_exchange, is_symbol
from millrace_core.requests import LARGEST_REQUEST, Request, action_of, parse_request, symbol_of
from millrace_service.redaction import clean_text

UNKNOWN = "unknown"
"""Replaces an exchange or action that the request lacks, in the name of its answer's stream."""
EVERY_EXCHANGE = ExchangeId("all")
"""Exchange part of the stream that answers a halt or resume of the whole tenant."""
MAX_AHEAD_MS = 60_000
"""Largest accepted clock skew. A larger value means that `requestedAt` is not in ms."""

Acknowledge = Callable[[], Awaitable[None]]


class AccountKey(NamedTuple):
    """One tenant's account on one exchange."""

    tenant: Tenant
    exchange: ExchangeId

    def __str__(self) -> str:
        return f"{self.tenant}.{self.exchange}"


@dataclass(frozen=True, slots=True, eq=False)
class AcceptedRequest:
    """A request that can be carried out."""

    request: Request
    request_id: RequestId
    answer_to: StreamName
    valid_until_ms: int
    accepted_ns: int
    """When it was read from Redis, wall clock."""
    acknowledge: Acknowledge
    """Acknowledges it in the journal once it is answered, so that it is not delivered again."""
    answer_unrouted: Callable[["AcceptedRequest", Response], None]
    """Publishes its answer when no account can."""

    @property
    def account(self) -> AccountKey:
        """Return the account that it concerns."""
        return AccountKey(self.answer_to.tenant, self.answer_to.exchange)

    @property
    def source(self) -> str | None:
        """Return the order source: the strategy or person that it comes from."""
        return self.request.payload.order_source

    def error_answer(self, status: ResponseStatus, kind: str, message: str) -> Response:
        """Return a final or provisional answer that has an error in place of an order."""
        return error_answer(self.request_id, status, kind, message, self.source)


@dataclass(frozen=True, slots=True)
class MalformedArrival:
    """An arrival that cannot be carried out as it stands, with its answer."""

    request_id: RequestId
    """As the sender wrote it, in any form; generated if missing."""
    answer_to: StreamName
    """As the arrival says, even if the exchange or symbol does not exist."""
    answer: Response


def read(
    arrived: Arrived,
    acknowledge: Acknowledge,
    answer_unrouted: Callable[[AcceptedRequest, Response], None],
) -> AcceptedRequest | MalformedArrival:
    """Parse one arrival. A journal entry that is delivered twice gets the same request id both times."""
    if arrived.raw is None or len(arrived.raw) > LARGEST_REQUEST:
        text = "the entry has no field `data`" if arrived.raw is None else f"is larger than {LARGEST_REQUEST:,} bytes"
        return _unreadable(arrived, Problem("$", text))
    try:
        request = parse_request(arrived.raw)
    except MalformedRequest as error:
        parts = error.parts
        request_id = RequestId((parts.request_id or "")[:64]) or _made_up_id(arrived)
        answer_to = _readable_answer_to(arrived.tenant, parts)
        return _malformed(request_id, answer_to, error.problems, parts.order_source)
    request_id = RequestId(request.request_id) if request.request_id else _made_up_id(arrived)
    answer_to = _answer_to(arrived.tenant, request)
    if request.requested_at is not None and request.requested_at > arrived.received_ms + MAX_AHEAD_MS:
        problem = Problem("$.requestedAt", "is in the future: it must be ms since the Unix epoch")
        return _malformed(request_id, answer_to, (problem,), request.payload.order_source)
    since_ms = arrived.received_ms if request.requested_at is None else request.requested_at
    valid_until_ms = since_ms + request.valid_for
    return AcceptedRequest(
        request, request_id, answer_to, valid_until_ms, arrived.received_ns, acknowledge, answer_unrouted
    )


def unhandled(arrived: Arrived, error: Exception) -> MalformedArrival:
    """Return the answer to an arrival whose handling raised something unforeseen before anything was done."""
    text = f"it cannot be handled: {type(error).__name__}"
    request_id = _made_up_id(arrived)
    answer = error_answer(request_id, "failed", "InternalError", text)
    return MalformedArrival(request_id, _readable_answer_to(arrived.tenant, RequestParts()), answer)


def error_answer(
    request_id: str, status: ResponseStatus, kind: str, message: str, source: str | None = None
) -> Response:
    """Return a final or provisional answer that has an error in place of an order.

    Its message may be an exchange's own words, which may hold the account's keys: they are left out.
    """
    return Response(request_id, status, order_source=source, error=RequestError(kind, clean_text(message)))


def _unreadable(arrived: Arrived, problem: Problem) -> MalformedArrival:
    answer_to = _readable_answer_to(arrived.tenant, RequestParts())
    return _malformed(_made_up_id(arrived), answer_to, (problem,), None)


def _malformed(
    request_id: RequestId, answer_to: StreamName, problems: tuple[Problem, ...], source: str | None
) -> MalformedArrival:
    text = "; ".join(str(problem) for problem in problems)
    return MalformedArrival(request_id, answer_to, error_answer(request_id, "rejected", "Malformed", text, source))


def _readable_answer_to(tenant: Tenant, parts: RequestParts) -> StreamName:
    exchange = parts.exchange_id or ""
    return StreamName(
        tenant,
        ExchangeId(exchange if is_exchange(exchange) else UNKNOWN),
        Action(parts.action or UNKNOWN),
        Symbol(parts.symbol) if parts.symbol and is_symbol(parts.symbol) else None,
    )


def _answer_to(tenant: Tenant, request: Request) -> StreamName:
    # Only halts and resumptions may leave the exchange out: `parse_request` checks it.
    exchange = ExchangeId(request.exchange_id) if request.exchange_id else EVERY_EXCHANGE
    symbol = symbol_of(request)
    return StreamName(tenant, exchange, Action(action_of(request)), None if symbol is None else Symbol(symbol))


def _made_up_id(arrived: Arrived) -> RequestId:
    # Derived from its origin: an entry that is delivered again after a crash is the same request.
    return derived_request_id(f"{arrived.tenant} {arrived.origin}")
