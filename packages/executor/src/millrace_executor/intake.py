"""Intake: what arrives on `{tenant}.traderActions`, read into work to do or an answer of what is wrong with it.

Pure. Every arrival gets a request id and the name of the stream that will carry its answer, however little
of it can be read.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from millrace_core.errors import MalformedRequest, Problem
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import RequestError, Response, ResponseStatus
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import Halt, Request, Resume, action_of, parse_request
from millrace_executor.diagnosis import ACTIONS, problems_of, text_of

UNKNOWN = "unknown"
"""Stands in an answer's name for what could not be read."""
EVERY_EXCHANGE = ExchangeId("all")
"""Stands in the name of the answer to a halt, or a resumption, that concerns the whole tenant."""
MAX_AHEAD_MS = 60_000
"""How far a request's `requestedAt` may lie in the future: clocks differ, but ns or s taken for ms do more."""

_EXCHANGE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SYMBOL = re.compile(r"[^\s*?\[\]]{1,64}")


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
        return _unfit(tenant, raw, problems_of(raw) or error.problems, entry_id)
    if further := tuple(_further_problems(request, received_ms)):
        return _unfit(tenant, raw, further, entry_id)
    request_id = RequestId(request.request_id) if request.request_id else _made_up_id(tenant, entry_id)
    since = received_ms if request.requested_at is None else request.requested_at
    return Work(request, request_id, _answer_to(tenant, request), since + request.valid_for)


def order_source(request: Request) -> str | None:
    """Return who wanted it."""
    return request.payload.order_source


def refusal(request_id: str, status: ResponseStatus, kind: str, message: str, source: str | None = None) -> Response:
    """Return the answer that says why nothing was placed."""
    return Response(request_id, status, order_source=source, error=RequestError(kind, message))


def _unfit(tenant: Tenant, raw: bytes, problems: tuple[Problem, ...], entry_id: str | None) -> Unfit:
    fields = _fields(raw)
    payload = _fields(fields.get("payload", b""))
    exchange = text_of(fields.get("exchangeId")) or ""
    action = text_of(fields.get("action"))
    name = StreamName(
        tenant,
        ExchangeId(exchange if _EXCHANGE.fullmatch(exchange) else UNKNOWN),
        Action(action if action in ACTIONS else UNKNOWN),
        _readable_symbol(text_of(payload["symbol"])) if "symbol" in payload else None,
    )
    # An id of the wrong form is given back as it came: by it the sender knows which request is meant.
    given = (text_of(fields.get("requestId")) or "")[:64]
    request_id = given or _made_up_id(tenant, entry_id)
    text = "; ".join(str(problem) for problem in problems)
    source = text_of(payload.get("orderSource"))
    return Unfit(request_id, name, refusal(request_id, "rejected", "Malformed", text, source))


def _answer_to(tenant: Tenant, request: Request) -> StreamName:
    # Only halts may do without an exchange: `parse_request` sees to that.
    exchange = ExchangeId(request.exchange_id) if request.exchange_id else EVERY_EXCHANGE
    symbol = None if isinstance(request, Halt | Resume) else request.payload.symbol
    return StreamName(tenant, exchange, Action(action_of(request)), None if symbol is None else Symbol(symbol))


def _further_problems(request: Request, received_ms: int) -> Iterator[Problem]:
    if request.requested_at is not None and request.requested_at > received_ms + MAX_AHEAD_MS:
        yield Problem("$.requestedAt", "lies in the future: it must be ms since the Unix epoch")
    if request.exchange_id is not None and not _EXCHANGE.fullmatch(request.exchange_id):
        yield Problem("$.exchangeId", "is no ccxt id of an exchange, such as binance")
    if request.payload.symbol is not None and not _SYMBOL.fullmatch(request.payload.symbol):
        yield Problem("$.payload.symbol", "is no ccxt symbol, such as KCS/USDT")


def _made_up_id(tenant: Tenant, entry_id: str | None) -> RequestId:
    if entry_id is None:
        return new_request_id()
    # From the entry's own id, so that one that is delivered again after a crash is known as the same request.
    return RequestId(hashlib.sha256(f"{tenant} {entry_id}".encode()).hexdigest()[:32])


def _readable_symbol(text: str | None) -> Symbol:
    return Symbol(text if text is not None and _SYMBOL.fullmatch(text) else UNKNOWN)


def _fields(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return {}
