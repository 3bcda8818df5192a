"""Intents: what is known of a request from the moment that nothing may be done about it without a trace."""

import secrets
from typing import Literal

import msgspec

from millrace_core.errors import InvalidName
from millrace_core.ids import RequestId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response, ResponseStatus
from millrace_core.names import StreamName
from millrace_core.requests import Request
from millrace_core.trace import Trace
from millrace_executor.accepted_request import AcceptedRequest, MalformedArrival

IntentState = Literal["pending", "unknown", "settled"]
"""`pending`: not answered yet. `unknown`: outcome unknown, being resolved. `settled`: finally answered."""

KEPT_AFTER_VALIDITY_MS = 3_600_000
"""How long a settled intent outlives its request's validity. A later copy of the request has expired anyway."""
KEPT_UNDATED_MS = 24 * 3_600_000
"""The same for a request without `requestedAt`: a later copy of it would count as new."""


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One entry of an account's ledger, by request id."""

    request_id: RequestId
    state: IntentState
    answer_to: str
    """Name of the stream that carries the answer."""
    begun_at: int
    """ms, by Redis's clock; nothing was sent before."""
    keep_until: int
    """ms; until then a copy of the request may come."""
    request: Request | None = None
    """The request; None once settled, or if it could not be parsed."""
    client_order_id: str | None = None
    """The id that the exchange got for the order, if any."""
    account: str = ""
    """Digest of the keys with which it is sent: others may be another account's. Empty if nothing is sent."""
    sent_by: int | None = None
    """ms, by Redis's clock; once unknown: nothing was sent later."""
    verdict: Response | None = None
    """The answer, if it was decided without the exchange."""
    status: ResponseStatus | None = None
    """The final answer's status, once settled."""
    trace: Trace = Trace()
    is_malformed: bool = False
    """Whether the request could not be carried out as it stood: a good one under its id is another one."""
    claim: str = ""
    """Random: identifies a claim as this process's own when it is repeated after an outage."""

    @property
    def stream(self) -> StreamName:
        """Return the name of the stream that carries the answer."""
        return StreamName.parse(self.answer_to)

    def settled(self, status: ResponseStatus) -> "Intent":
        """Return the short entry that remains once the request is finally answered."""
        return Intent(
            request_id=self.request_id,
            state="settled",
            answer_to=self.answer_to,
            begun_at=self.begun_at,
            keep_until=self.keep_until,
            client_order_id=self.client_order_id,
            status=status,
            is_malformed=self.is_malformed,
        )

    def marked_unknown(self, sent_by_ms: int) -> "Intent":
        """Return the intent of a request that was sent, at this moment at the latest, with an unknown outcome."""
        return msgspec.structs.replace(self, state="unknown", sent_by=sent_by_ms)


def intent_of(
    accepted: AcceptedRequest,
    server_ms: int,
    *,
    answer_to: StreamName | None = None,
    client_order_id: str | None = None,
    verdict: Response | None = None,
    account: str = "",
) -> Intent:
    """Return the intent to carry out a request, or to answer it with a verdict that needs no exchange.

    `server_ms` is the time by Redis's clock; one with a verdict may have another's. `answer_to` is the stream of the
    answer, if it is another than the request's own.
    """
    undated = accepted.request.requested_at is None and accepted.request.request_id is not None
    return Intent(
        request_id=accepted.request_id,
        state="pending",
        answer_to=str(answer_to or accepted.answer_to),
        begun_at=server_ms,
        keep_until=accepted.valid_until_ms + (KEPT_UNDATED_MS if undated else KEPT_AFTER_VALIDITY_MS),
        request=accepted.request if verdict is None else None,
        client_order_id=client_order_id,
        account=account,
        verdict=verdict,
        trace=accepted.request.trace.at(accepted=accepted.accepted_ns),
        claim=secrets.token_hex(8),
    )


def intent_of_malformed(malformed: MalformedArrival, answer_to: StreamName, now_ms: int) -> Intent:
    """Return the intent to answer a malformed request on the stream `answer_to`."""
    return Intent(
        request_id=malformed.request_id,
        state="pending",
        answer_to=str(answer_to),
        begun_at=now_ms,
        keep_until=now_ms + KEPT_UNDATED_MS,
        verdict=malformed.answer,
        is_malformed=True,
        claim=secrets.token_hex(8),
    )


_decoder = msgspec.json.Decoder(Intent)


def decode_intent(raw: bytes) -> Intent | None:
    """Return an entry of the ledger; None if it is not of its form, or its answer has no valid stream."""
    try:
        intent = _decoder.decode(raw)
        StreamName.parse(intent.answer_to)
    except (*UNREADABLE, InvalidName):
        return None
    return intent
