"""Intake: what arrives on `{tenant}.traderActions`, read into work to do or an answer of what is wrong with it.

Pure. Every arrival gets a request id and the name of the stream that will carry its answer, however little
of it can be read.
"""

import hashlib
from dataclasses import dataclass

from millrace_core.errors import MalformedRequest, Problem, RequestParts
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import RequestError, Response, ResponseStatus
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import Request, action_of, is_exchange, is_symbol, parse_request, symbol_of

UNKNOWN = "unknown"
"""Stands in an answer's name for what could not be read."""
EVERY_EXCHANGE = ExchangeId("all")
"""Stands in the name of the answer to a halt, or a resumption, that concerns the whole tenant."""
MAX_AHEAD_MS = 60_000
"""How far a request's `requestedAt` may lie in the future: clocks differ, but ns or s taken for ms do more."""


@dataclass(frozen=True, slots=True)
class Work:
    """A request that can be carried out."""

    request: Request
    request_id: RequestId
    answer_to: StreamName
    valid_until_ms: int

    @property
    def source(self) -> str | None:
        """Return who wanted it."""
        return order_source(self.request)

    def refuse(self, status: ResponseStatus, kind: str, message: str) -> Response:
        """Return the answer that says why it was not done."""
        return refusal(self.request_id, status, kind, message, self.source)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A request that cannot be carried out as it stands, with its answer."""

    request_id: str
    answer_to: StreamName
    answer: Response


def read(tenant: Tenant, raw: bytes, *, entry_id: str | None, received_ms: int) -> Work | Unfit:
    """Read one arrival. The same bytes of the same journal entry give the same request id every time.

    `received_ms` is when the journal took it, or when the channel brought it.
    """
    try:
        request = parse_request(raw)
    except MalformedRequest as error:
        # An id of the wrong form is returned as it came: by it the sender knows which request is meant.
        request_id = (error.parts.request_id or "")[:64] or _made_up_id(tenant, entry_id)
        answer_to = _readable_answer_to(tenant, error.parts)
        return _unfit(request_id, answer_to, error.problems, error.parts.order_source)
    request_id = RequestId(request.request_id) if request.request_id else _made_up_id(tenant, entry_id)
    answer_to = _answer_to(tenant, request)
    if request.requested_at is not None and request.requested_at > received_ms + MAX_AHEAD_MS:
        problem = Problem("$.requestedAt", "lies in the future: it must be ms since the Unix epoch")
        return _unfit(request_id, answer_to, (problem,), order_source(request))
    since = received_ms if request.requested_at is None else request.requested_at
    return Work(request, request_id, answer_to, since + request.valid_for)


def order_source(request: Request) -> str | None:
    """Return who wanted it."""
    return request.payload.order_source


def refusal(request_id: str, status: ResponseStatus, kind: str, message: str, source: str | None = None) -> Response:
    """Return the answer that says why nothing was placed."""
    return Response(request_id, status, order_source=source, error=RequestError(kind, message))


def _unfit(request_id: str, answer_to: StreamName, problems: tuple[Problem, ...], source: str | None) -> Unfit:
    text = "; ".join(str(problem) for problem in problems)
    return Unfit(request_id, answer_to, refusal(request_id, "rejected", "Malformed", text, source))


def _readable_answer_to(tenant: Tenant, parts: RequestParts) -> StreamName:
    exchange = parts.exchange_id or ""
    symbol = parts.symbol
    return StreamName(
        tenant,
        ExchangeId(exchange if is_exchange(exchange) else UNKNOWN),
        Action(parts.action or UNKNOWN),
        None if symbol is None else Symbol(symbol if is_symbol(symbol) else UNKNOWN),
    )


def _answer_to(tenant: Tenant, request: Request) -> StreamName:
    # Only halts may do without an exchange: `parse_request` sees to that.
    exchange = ExchangeId(request.exchange_id) if request.exchange_id else EVERY_EXCHANGE
    symbol = symbol_of(request)
    return StreamName(tenant, exchange, Action(action_of(request)), None if symbol is None else Symbol(symbol))


def _made_up_id(tenant: Tenant, entry_id: str | None) -> RequestId:
    if entry_id is None:
        return new_request_id()
    # From the entry's own id, so that one that is delivered again after a crash is known as the same request.
    return RequestId(hashlib.sha256(f"{tenant} {entry_id}".encode()).hexdigest()[:32])
