"""The ledger of one account: its intents by request id, each pending, unknown or settled.

An intent is written before anything is sent, so that the executor that runs after a crash knows what to ask the
exchange about. It stays for a while after its request is answered, so that a copy of the request is recognised.
"""

import secrets
from functools import partial
from typing import Literal

import msgspec
import structlog

from millrace_bus import Intents
from millrace_core.errors import InvalidName
from millrace_core.ids import RequestId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response, ResponseStatus, encode
from millrace_core.names import Action, ExchangeId, StreamName
from millrace_core.requests import Request
from millrace_core.trace import Trace
from millrace_executor.accepted_request import UNKNOWN, AcceptedRequest, MalformedArrival
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites

IntentState = Literal["pending", "unknown", "settled"]
"""`pending`: not answered yet. `unknown`: outcome unknown, being resolved. `settled`: finally answered."""

KEPT_AFTER_VALIDITY_MS = 3_600_000
"""How long a settled intent outlives its request's validity. A later copy of the request has expired anyway."""
KEPT_UNDATED_MS = 24 * 3_600_000
"""The same for a request without `requestedAt`: a later copy of it would count as new."""

log = structlog.get_logger()


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One entry of an account's ledger, by request id."""

    request_id: RequestId
    state: IntentState
    answer_to: str
    """Name of the stream that carries the answer."""
    begun_at: int
    """ms; nothing was sent before."""
    keep_until: int
    """ms; until then a copy of the request may come."""
    request: Request | None = None
    """The request; None once settled, or if it could not be parsed."""
    client_order_id: str | None = None
    """The id that the exchange got for the order, if any."""
    sent_by: int | None = None
    """ms; once unknown: nothing was sent later."""
    verdict: Response | None = None
    """The answer, if it was decided without the exchange."""
    status: ResponseStatus | None = None
    """The final answer's status, once settled."""
    trace: Trace = Trace()
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
        )

    def marked_unknown(self, sent_by_ms: int) -> "Intent":
        """Return the intent of a request that was sent, at this moment at the latest, with an unknown outcome."""
        return msgspec.structs.replace(self, state="unknown", sent_by=sent_by_ms)


def intent_of(
    accepted: AcceptedRequest, now_ms: int, *, client_order_id: str | None = None, verdict: Response | None = None
) -> Intent:
    """Return the intent to carry out a request, or to answer it with a verdict that needs no exchange."""
    undated = accepted.request.requested_at is None and accepted.request.request_id is not None
    return Intent(
        request_id=accepted.request_id,
        state="pending",
        answer_to=str(accepted.answer_to),
        begun_at=now_ms,
        keep_until=accepted.valid_until_ms + (KEPT_UNDATED_MS if undated else KEPT_AFTER_VALIDITY_MS),
        request=accepted.request if verdict is None else None,
        client_order_id=client_order_id,
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


class IntentLedger:
    """One account's intents in Redis, with the ids of all of them in memory. Writing waits while Redis refuses."""

    def __init__(
        self, intents: Intents, tenure: Tenure, exchange: ExchangeId, writes: RefusedWrites, *, expires_ms: int = 0
    ) -> None:
        """`expires_ms`: how long the ledger is kept, in case that there is no such account."""
        self._intents = intents
        self._tenure = tenure
        self._until_taken = writes.until_taken
        self._tenant = tenure.fence.tenant
        self._exchange = exchange
        self._expires_ms = expires_ms
        self._settled: dict[RequestId, int] = {}
        self._open: dict[RequestId, Intent | None] = {}
        """None: it cannot be read."""

    async def load(self) -> list[Intent]:
        """Read the ledger and return the intents that are not settled, oldest first."""
        found: list[Intent] = []
        for request_id, raw in (await self._intents.all(self._tenant, self._exchange)).items():
            intent = decode_intent(raw)
            if intent is None:
                log.error("an intent cannot be read: check its order on the exchange by hand", request_id=request_id)
                self._open[request_id] = None
                continue
            self._remember(intent)
            if intent.state != "settled":
                found.append(intent)
        return sorted(found, key=lambda intent: intent.begun_at)

    async def left(self, request_id: RequestId) -> list[Intent]:
        """Return the intent of a request that was to be answered without the exchange and is not; else nothing."""
        raw = await self._intents.get(self._tenant, self._exchange, request_id)
        intent = None if raw is None else decode_intent(raw)
        return [] if intent is None or intent.state == "settled" or intent.verdict is None else [intent]

    def knows(self, request_id: RequestId) -> bool:
        """Tell whether a request was claimed before, as far as this process has seen."""
        return request_id in self._settled or request_id in self._open

    async def claim(self, intent: Intent) -> bool:
        """Write an intent before anything is done; False if its request has one already and must be left alone.

        Raises:
            LeaseLost: another executor acts for the tenant; so do `update` and `prune`.
        """
        raw, key = encode(intent), (self._exchange, intent.request_id)
        claim = partial(self._intents.claim, expires_ms=self._expires_ms)
        theirs = await self._until_taken(lambda: self._tenure.write(lambda fence: claim(fence, *key, raw)))
        if theirs is None:
            self._remember(intent)
        return theirs is None

    async def update(self, intent: Intent) -> None:
        """Write an intent's new state."""
        settle, entry = self._intents.settle, (intent.request_id, encode(intent))
        await self._until_taken(lambda: self._tenure.write(lambda fence: settle(fence, self._exchange, entry)))
        self._remember(intent)

    async def prune(self, now_ms: int) -> int:
        """Remove the settled intents that need not be kept any longer; return how many."""
        over = [request_id for request_id, keep_until in self._settled.items() if keep_until < now_ms]
        if over:
            await self._tenure.assure()
            await self._until_taken(lambda: self._intents.remove(self._tenant, self._exchange, *over))
        for request_id in over:
            del self._settled[request_id]
        return len(over)

    async def restore(self) -> None:
        """Write everything again that is in memory: Redis lost its data."""
        known = [intent for intent in self._open.values() if intent is not None]
        known += [self._settled_entry(*settled) for settled in self._settled.items()]
        if known:
            entries = [(intent.request_id, encode(intent)) for intent in known]
            settle = self._intents.settle
            await self._until_taken(lambda: self._tenure.write(lambda fence: settle(fence, self._exchange, *entries)))
        log.warning("the ledger was written again", exchange=self._exchange, intents=len(known))

    def _settled_entry(self, request_id: RequestId, keep_until: int) -> Intent:
        answer_to = StreamName(self._tenant, self._exchange, Action(UNKNOWN))
        return Intent(request_id, "settled", str(answer_to), begun_at=keep_until, keep_until=keep_until)

    def _remember(self, intent: Intent) -> None:
        if intent.state == "settled":
            self._open.pop(intent.request_id, None)
            self._settled[intent.request_id] = intent.keep_until
        else:
            self._open[intent.request_id] = intent
