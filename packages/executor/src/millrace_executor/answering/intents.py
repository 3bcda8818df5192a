"""The ledger's entries: what the executor is about to do, is doing, could not settle, or has done.

An intent is written before anything is sent, so that whoever comes after a crash knows what to ask the exchange
about, and it stays a while after its end, so that the same request coming again is known.
"""

import secrets
from typing import Literal

import msgspec

from millrace_core.messages import Response, ResponseStatus, encode
from millrace_core.names import StreamName
from millrace_core.requests import Request
from millrace_core.trace import Trace
from millrace_executor.accepted_request import Unfit, Work

IntentState = Literal["pending", "unknown", "settled"]
"""`pending`: not answered yet. `unknown`: answered so, and asked about. `settled`: finally answered."""

KEPT_AFTER_VALIDITY_MS = 3_600_000
"""How long a settled intent outlives its request's validity: a later copy of the request is expired by itself."""
KEPT_UNDATED_MS = 24 * 3_600_000
"""The same for a request that does not say when it was made: a later copy of it would count as fresh."""


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One entry of the ledger `intents.{tenant}.{exchange}`, by request id."""

    state: IntentState
    answer_to: str
    """Name of the stream that carries the answer."""
    begun_at: int
    """ms; nothing was sent before."""
    keep_until: int
    """ms; until then a copy of the request may come."""
    request: Request | None = None
    """What was asked; None once settled, and for what could not be read."""
    client_order_id: str | None = None
    """Under which the exchange knows the order, if there is one."""
    sent_by: int | None = None
    """ms; once unknown: nothing was sent later."""
    verdict: Response | None = None
    """The answer, where it was decided without the exchange."""
    status: ResponseStatus | None = None
    """The final answer's status, once settled."""
    trace: Trace = Trace()
    claim: str = ""
    """Random, so that a claim that is tried again after an outage is known as one's own."""

    @property
    def stream(self) -> StreamName:
        """Return the name of the stream that carries the answer."""
        return StreamName.parse(self.answer_to)


def intent_of(
    work: Work, now_ms: int, *, accepted_ns: int, client_order_id: str | None = None, verdict: Response | None = None
) -> Intent:
    """Return the intent to carry out a request, or to answer it with a verdict that needs no exchange."""
    undated = work.request.requested_at is None and work.request.request_id is not None
    return Intent(
        state="pending",
        answer_to=str(work.answer_to),
        begun_at=now_ms,
        keep_until=work.valid_until_ms + (KEPT_UNDATED_MS if undated else KEPT_AFTER_VALIDITY_MS),
        request=work.request if verdict is None else None,
        client_order_id=client_order_id,
        verdict=verdict,
        trace=work.request.trace.at(accepted=accepted_ns),
        claim=secrets.token_hex(8),
    )


def intent_of_unfit(unfit: Unfit, now_ms: int) -> Intent:
    """Return the intent to answer what could not be read."""
    return Intent(
        state="pending",
        answer_to=str(unfit.answer_to),
        begun_at=now_ms,
        keep_until=now_ms + KEPT_UNDATED_MS,
        verdict=unfit.answer,
        claim=secrets.token_hex(8),
    )


def settled(intent: Intent, status: ResponseStatus) -> Intent:
    """Return the short entry that remains of an intent once it is finally answered."""
    return Intent(
        state="settled",
        answer_to=intent.answer_to,
        begun_at=intent.begun_at,
        keep_until=intent.keep_until,
        client_order_id=intent.client_order_id,
        status=status,
    )


def marked_unknown(intent: Intent, sent_by_ms: int) -> Intent:
    """Return the intent of a request that was sent, at this moment at the latest, and whose outcome nobody knows."""
    return msgspec.structs.replace(intent, state="unknown", sent_by=sent_by_ms)


def encode_intent(intent: Intent) -> bytes:
    """Return the bytes that the ledger holds."""
    return encode(intent)


_decoder = msgspec.json.Decoder(Intent)


def decode_intent(raw: bytes) -> Intent | None:
    """Read an entry of the ledger; None for one that is not of this form."""
    try:
        return _decoder.decode(raw)
    except msgspec.MsgspecError:
        return None
