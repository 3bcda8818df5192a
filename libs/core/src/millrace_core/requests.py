"""Requests to trade, which strategies, the API and people publish on `{tenant}.traderActions`.

See docs/protocol.md, "Requests to trade". A person can type a request by hand: every field but the obvious is optional.
Nothing is guessed where money is concerned: an unknown field or a wrong sign is an error.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from millrace_core.clock import DAY_MS
from millrace_core.errors import MalformedRequest, Problem, RequestParts
from millrace_core.ids import is_request_id
from millrace_core.json_problems import (
    TOO_DEEP,
    UNREADABLE,
    fields_of,
    load_json,
    problem_of,
    silent_mistakes,
    struct_problems,
    text_of,
)
from millrace_core.names import is_exchange, is_symbol
from millrace_core.trace import Trace

DEFAULT_VALID_FOR_MS = 5_000
LONGEST_VALID_FOR_MS: Final = 366 * DAY_MS
LARGEST_REQUEST: Final = 65_536
"""Bytes: what a request names stands in its answer and its order's hash."""
MOST: Final = Decimal("1e30")
"""Prices and amounts lie below it, and above its reciprocal: written out, any other fills the memory."""
_LEAST: Final = 1 / MOST
_ID: Final = re.compile(r"[A-Za-z0-9._:/~|=+-]{1,128}")
"""An order's id, the exchange's or ours; a sign that means something in a URL is in none."""
_NUMBER: Final = re.compile(r"[0-9.eE+-]+|[A-Za-z+-]+")
"""The form of a number that is written as a text: Python would read `1_5` as 15, and digits of any script."""


class _Payload(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """The base of all payloads."""


class CreatePayload(_Payload, frozen=True, kw_only=True):
    """The order to place. Exactly one of `amount_base` and `amount_quote` is its size."""

    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    amount_base: Decimal | None = None
    amount_quote: Decimal | None = None
    price: Decimal | None = None
    """The limit; of a market order the expected price, which is not sent."""
    order_source: str | None = None
    time_in_force: Literal["GTC", "IOC", "FOK", "GTD", "PO"] | None = None
    post_only: bool = False
    reduce_only: bool = False
    trigger_price: Decimal | None = None
    params: dict[str, Any] = {}
    """Passed to ccxt unchanged."""

    @property
    def only_makes(self) -> bool:
        """Whether it must not execute at once: `post_only`, or the time in force `PO`, which says the same."""
        return self.post_only or self.time_in_force == "PO"


class CancelPayload(_Payload, frozen=True, kw_only=True):
    """The order to cancel, by the exchange's id or by ours."""

    symbol: str
    order_id: str | None = msgspec.field(default=None, name="orderID")
    client_order_id: str | None = None
    order_source: str | None = None
    params: dict[str, Any] = {}


class EditPayload(_Payload, frozen=True, kw_only=True):
    """The new terms of an open order; None leaves a term as it is."""

    symbol: str
    order_id: str | None = msgspec.field(default=None, name="orderID")
    client_order_id: str | None = None
    side: Literal["buy", "sell"] | None = None
    type: Literal["limit", "market"] | None = None
    amount_base: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    order_source: str | None = None
    params: dict[str, Any] = {}


class CancelAllPayload(_Payload, frozen=True, kw_only=True):
    """The open orders to cancel: those of one symbol, or all."""

    symbol: str | None = None
    order_source: str | None = None
    params: dict[str, Any] = {}


class HaltPayload(_Payload, frozen=True, kw_only=True):
    """Scope of a halt or resume; without an exchange and a source, everything of the tenant."""

    order_source: str | None = None
    """Only requests of this source."""
    reason: str | None = None
    by: str | None = None


class HaltingPayload(HaltPayload, frozen=True, kw_only=True):
    """What to halt, and what becomes of open orders."""

    cancel_orders: bool = False
    """Whether to cancel all open orders of the accounts concerned; not for one source alone."""


class _Request(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename="camel",
    tag_field="action",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """The fields that every request has."""

    exchange_id: str | None = None
    request_id: str | None = None
    """Idempotency key, 32 hex digits; the executor makes one where it is missing."""
    requested_at: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    """ms; the start of the validity."""
    valid_for: Annotated[int, Meta(le=LONGEST_VALID_FOR_MS)] = DEFAULT_VALID_FOR_MS
    """ms."""
    trace: Trace = Trace()
    journaled: bool = False
    """True in what a program wrote to journal and channel: readers then take it from the journal alone."""


class CreateOrder(_Request, frozen=True, tag="createOrder", kw_only=True):
    """Place an order."""

    payload: CreatePayload


class CancelOrder(_Request, frozen=True, tag="cancelOrder", kw_only=True):
    """Cancel one order."""

    payload: CancelPayload


class EditOrder(_Request, frozen=True, tag="editOrder", kw_only=True):
    """Change one order."""

    payload: EditPayload


class CancelAllOrders(_Request, frozen=True, tag="cancelAllOrders", kw_only=True):
    """Cancel all open orders of an account, or of one symbol."""

    payload: CancelAllPayload = CancelAllPayload()


class Halt(_Request, frozen=True, tag="halt", kw_only=True):
    """Stop taking new orders."""

    payload: HaltingPayload = HaltingPayload()


class Resume(_Request, frozen=True, tag="resume", kw_only=True):
    """Take new orders again."""

    payload: HaltPayload = HaltPayload()


OrderRequest = CreateOrder | CancelOrder | EditOrder | CancelAllOrders
"""A request to trade; its order and answers are those of one account."""
Request = OrderRequest | Halt | Resume

_KINDS: Final[dict[str, type[msgspec.Struct]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Request)}
_HALTING: Final = ("halt", "resume")
_SYMBOL_PATHS: Final = ("$.symbol", "$.payload.symbol")
_NO_SYMBOL: Final = "halts have no symbol: leave it out; exchangeId and orderSource limit what is concerned"
_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def parse_request(raw: bytes) -> Request:
    """Return a request, checked as far as that goes without knowing the exchange.

    Raises:
        MalformedRequest: it is not JSON, or not a request, or contradicts itself, or is larger than `LARGEST_REQUEST`.
            Its `problems` are all mistakes of form, or else all contradictions; its `parts` are what could be read
            nevertheless.
    """
    if len(raw) > LARGEST_REQUEST:
        raise MalformedRequest((Problem("$", f"is larger than {LARGEST_REQUEST:,} bytes"),), RequestParts())
    try:
        request = _decoder.decode(raw)
    except UNREADABLE as error:
        raise _diagnosis(raw, problem_of(error)) from error
    problems = _contradictions(request)
    # If a key occurs twice, the decoder silently keeps the last value.
    problems += _silent_mistakes(raw)
    if problems:
        raise MalformedRequest(tuple(problems), _parts(fields_of(raw)))
    return request


def action_of(request: Request) -> str:
    """Return the name of what a request asks for, such as `createOrder`."""
    return str(type(request).__struct_config__.tag)


def symbol_of(request: Request) -> str | None:
    """Return the symbol that a request concerns; None if it concerns a whole account, or is a halt."""
    return None if isinstance(request, Halt | Resume) else request.payload.symbol


def _diagnosis(raw: bytes, first: Problem) -> MalformedRequest:
    """Return the error for bytes that the decoder refused for `first`."""
    try:
        fields = fields_of(raw)
    except UNREADABLE:
        return MalformedRequest((first,), RequestParts())
    parts = _parts(fields)
    if parts.action is None:
        return MalformedRequest((Problem("$.action", f"must be one of {', '.join(_KINDS)}"),), parts)
    del fields["action"]
    problems = [*struct_problems(_KINDS[parts.action], fields, "$"), *_silent_mistakes(raw)]
    if parts.action in _HALTING:
        problems = [Problem(found.path, _NO_SYMBOL) if found.path in _SYMBOL_PATHS else found for found in problems]
    return MalformedRequest(tuple(problems) or (first,), parts)


def _parts(fields: dict[str, msgspec.Raw]) -> RequestParts:
    try:
        payload = fields_of(fields.get("payload", b"{}"))
    except UNREADABLE:
        payload = {}
    action = text_of(fields.get("action"))
    return RequestParts(
        action=action if action in _KINDS else None,
        exchange_id=text_of(fields.get("exchangeId")),
        symbol=text_of(payload["symbol"]) or "" if "symbol" in payload else None,
        request_id=text_of(fields.get("requestId")),
        order_source=text_of(payload.get("orderSource")),
    )


def _silent_mistakes(raw: bytes) -> list[Problem]:
    try:
        content = load_json(raw)
        return [*silent_mistakes(content), *_number_problems(content)]
    except ValueError as error:
        return [Problem("$", str(error))]
    except RecursionError:
        return [TOO_DEEP]


def _number_problems(content: Any) -> Iterator[Problem]:
    """Yield the numbers of a payload that are texts of another form than a number's."""
    payload = content.get("payload") if isinstance(content, dict) else None
    for name in ("amountBase", "amountQuote", "price", "triggerPrice"):
        text = payload.get(name) if isinstance(payload, dict) else None
        if isinstance(text, str) and not _NUMBER.fullmatch(text):
            yield Problem(
                f"$.payload.{name}", "must be a number: digits 0 to 9 with at most one point, or with an exponent"
            )


def _contradictions(request: Request) -> list[Problem]:
    problems = []
    if request.request_id is not None and not is_request_id(request.request_id):
        problems.append(Problem("$.requestId", "must be 32 lower-case hex digits"))
    if request.valid_for <= 0:
        problems.append(Problem("$.validFor", "must be more than 0 ms"))
    if request.exchange_id is None:
        if not isinstance(request, Halt | Resume):
            problems.append(Problem("$.exchangeId", "is required: name the exchange"))
    elif not is_exchange(request.exchange_id):
        problems.append(Problem("$.exchangeId", "must be the ccxt id of an exchange, such as binance"))
    if (symbol := symbol_of(request)) is not None and not is_symbol(symbol):
        problems.append(Problem("$.payload.symbol", "must be a ccxt symbol, such as KCS/USDT"))
    if not isinstance(request, CancelOrder | CancelAllOrders) and request.payload.order_source in ("", "*"):
        problems.append(Problem("$.payload.orderSource", "must name a source: `*` and an empty text stand for all"))
    return problems + _payload_problems(request)


def _payload_problems(request: Request) -> list[Problem]:
    match request:
        case CreateOrder(payload=create):
            return _create_problems(create)
        case EditOrder(payload=edit):
            return _edit_problems(edit)
        case Halt(payload=halt) if halt.cancel_orders and halt.order_source is not None:
            return [Problem("$.payload.cancelOrders", "cancels all orders of an account: leave orderSource out")]
        case CancelOrder(payload=cancel):
            return _id_problems(cancel, "cancel")
        case _:
            return []


def _create_problems(payload: CreatePayload) -> list[Problem]:
    problems = _positive(payload, ("amount_base", "amount_quote", "price", "trigger_price"))
    if (payload.amount_base is None) == (payload.amount_quote is None):
        problems.append(Problem("$.payload.amountBase", "or amountQuote is required: set exactly one of the two"))
    if payload.type == "limit":
        if payload.price is None:
            problems.append(Problem("$.payload.price", "is required for a limit order"))
        if payload.amount_base is None and payload.amount_quote is not None:
            problems.append(Problem("$.payload.amountQuote", "a limit order takes amountBase instead"))
    elif payload.only_makes:
        name = "postOnly" if payload.post_only else "timeInForce"
        problems.append(Problem(f"$.payload.{name}", "makes no market order post-only: it always takes"))
    return problems


def _edit_problems(payload: EditPayload) -> list[Problem]:
    problems = _positive(payload, ("amount_base", "price", "trigger_price")) + _id_problems(payload, "edit")
    if payload.amount_base is None and payload.price is None and payload.trigger_price is None:
        problems.append(Problem("$.payload", "changes nothing: set amountBase, price or triggerPrice"))
    return problems


def _id_problems(payload: CancelPayload | EditPayload, what: str) -> list[Problem]:
    """Return what is wrong with how an order is named. Exchanges take ids in URLs: one that is no id may be a route."""
    ids = {"orderID": payload.order_id, "clientOrderId": payload.client_order_id}
    if None not in ids.values():
        return [Problem("$.payload.clientOrderId", "or orderID names the order: set exactly one of the two")]
    if not any(ids.values()):
        return [Problem("$.payload.orderID", f"or clientOrderId is required: it names the order to {what}")]
    return [
        Problem(f"$.payload.{name}", "must be 1 to 128 letters, digits and signs of . _ : / ~ | = + -")
        for name, text in ids.items()
        if text is not None and not _ID.fullmatch(text)
    ]


def _positive(payload: CreatePayload | EditPayload, names: tuple[str, ...]) -> list[Problem]:
    wrong = {
        name
        for name in names
        if (value := getattr(payload, name)) is not None and not (value.is_finite() and _LEAST <= value <= MOST)
    }
    if not wrong:
        # The usual case, on the way of every order: looking the fields up takes 50 µs.
        return []
    return [
        Problem(f"$.payload.{field.encode_name}", "must be a number above 0 and at most 1e30")
        for field in msgspec.structs.fields(payload)
        if field.name in wrong
    ]
