"""What the ledger holds of a request, and for how long."""

from decimal import Decimal
from typing import Any

import pytest

from millrace_core.ids import new_request_id
from millrace_core.messages import Response, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_core.trace import Trace
from millrace_executor.accepted_request import AcceptedRequest, MalformedArrival
from millrace_executor.answering.intents import Intent, decode_intent, intent_of, intent_of_malformed

HOUR_MS = 3_600_000
STREAM = StreamName(Tenant("StrankaXY"), ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))
BUY = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1))
ID = new_request_id()
VERDICT = Response(ID, "rejected")


def accepted(**terms: Any) -> AcceptedRequest:
    """A request that is valid until 5,000 ms and was read at 7 ns."""

    async def acknowledge() -> None:
        pass

    request = CreateOrder(exchange_id="binance", payload=BUY, trace=Trace(decided=6), **terms)
    return AcceptedRequest(request, ID, STREAM, 5_000, 7, acknowledge, lambda *_: None)


@pytest.mark.parametrize(
    ("terms", "kept_ms"),
    [
        ({"request_id": ID, "requested_at": 1}, HOUR_MS),
        ({"request_id": ID}, 24 * HOUR_MS),
        ({}, HOUR_MS),
        ({"requested_at": 1}, HOUR_MS),
    ],
)
def test_an_intent_is_kept_as_long_as_a_copy_of_its_request_may_come(terms: dict[str, Any], kept_ms: int) -> None:
    """A copy of one without a time would count as new; one without an id has none."""
    intent = intent_of(accepted(**terms), 1_000, client_order_id="c", account="k")
    assert (intent.state, intent.begun_at, intent.keep_until) == ("pending", 1_000, 5_000 + kept_ms)
    assert (intent.request, intent.request_id, intent.stream) == (accepted(**terms).request, ID, STREAM)
    assert (intent.client_order_id, intent.account, intent.verdict) == ("c", "k", None)
    assert intent.trace == Trace(decided=6, accepted=7)
    assert decode_intent(encode(intent)) == intent


def test_an_intent_with_a_verdict_needs_no_request() -> None:
    """It may be answered on another stream than its own; each claim is one's own."""
    short = STREAM._replace(symbol=None)
    one, other = (intent_of(accepted(), 1_000, answer_to=short, verdict=VERDICT) for _ in range(2))
    assert (one.stream, one.request, one.verdict) == (short, None, VERDICT)
    assert len(one.claim) == len(other.claim) == 16 and one.claim != other.claim


def test_a_malformed_request_is_kept_for_a_day() -> None:
    """A copy of it is answered the same way."""
    one, other = (intent_of_malformed(MalformedArrival(ID, STREAM, VERDICT), STREAM, 1_000) for _ in range(2))
    assert (one.state, one.stream, one.verdict) == ("pending", STREAM, VERDICT)
    assert (one.begun_at, one.keep_until) == (1_000, 1_000 + 24 * HOUR_MS)
    assert len(one.claim) == len(other.claim) == 16 and one.claim != other.claim


def test_an_intent_becomes_unknown_whole_and_settled_short() -> None:
    """The answer's status and our id stay, since a copy of the request is answered by them."""
    intent = intent_of(accepted(), 1_000, client_order_id="c", account="k")
    unknown = intent.marked_unknown(2_000)
    assert (unknown.state, unknown.sent_by, unknown.request) == ("unknown", 2_000, intent.request)
    assert unknown.settled("done") == Intent(
        ID, "settled", str(STREAM), 1_000, 5_000 + HOUR_MS, client_order_id="c", status="done"
    )


@pytest.mark.parametrize("raw", [b"{}", b"\xff", b"[", encode(Intent(ID, "pending", "x", 1, 2))])
def test_what_is_no_intent_or_names_no_stream_is_unreadable(raw: bytes) -> None:
    """One that was written by hand must not keep the account from starting."""
    assert decode_intent(raw) is None
