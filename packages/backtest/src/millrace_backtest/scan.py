"""What recordings hold: streams, times, requests and their answers; found in one pass that keeps no messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from millrace_backtest.exchange.latency import RecordedTimes
from millrace_backtest.recording.files import Recording, merged
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.recording.summary import StreamSummary
from millrace_core.errors import InvalidMessage, MalformedRequest
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response, decode
from millrace_core.names import StreamName, is_snapshot
from millrace_core.requests import OrderRequest, parse_request
from millrace_core.states import BalanceState
from millrace_core.trace import Trace

_REQUESTS = ".traderActions"
_MOST_GAPS = 1_000
_FINAL = ("done", "rejected", "failed", "expired")


class Answer(msgspec.Struct, frozen=True):
    """The final answer to a recorded request."""

    at_ns: int
    response: Response
    trace: Trace


class FoundGap(NamedTuple):
    """Messages that are missing in recordings."""

    at_ns: int
    """When it was noticed, or what came next."""
    name: str
    missing: int
    """0 if it is not known how many, or whether any is."""
    reason: str


@dataclass
class Scan:
    """What recordings hold."""

    streams: dict[str, StreamSummary] = field(default_factory=dict)
    requests: dict[str, list[OrderRequest]] = field(default_factory=dict)
    """By tenant, those of all sources, each once, in the order of the journal."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """By request id."""
    balances: dict[tuple[str, str], dict[str, Decimal]] = field(default_factory=dict)
    """By tenant and exchange, what the account held when the recording began."""
    gaps: list[FoundGap] = field(default_factory=list)
    """The first 1,000, by time; the streams' summaries count all."""
    began_ns: int = 0
    ended_ns: int = 0
    messages: int = 0
    is_whole: bool = True
    """Whether every recording was ended in order."""

    def decided_by(self, tenant: str, source: str) -> Sequence[OrderRequest]:
        """Return the requests of one strategy in the order in which it decided them."""
        mine = [each for each in self.requests.get(tenant, ()) if each.payload.order_source == source]
        return sorted(mine, key=lambda each: each.trace.decided or 0)

    def times(self, tenant: str, source: str) -> Sequence[RecordedTimes | None]:
        """Return when each request of a strategy was decided, carried out and answered; None without an answer."""
        return [_times(each, self.answers.get(each.request_id or "")) for each in self.decided_by(tenant, source)]


def scan(sources: Sequence[Recording], on_progress: Callable[[int], None] = lambda _messages: None) -> Scan:
    """Read recordings once; `on_progress` is called now and then, with about how many messages were read.

    Raises:
        RecordingUnreadable: a file is no recording.
    """
    found = Scan()
    seen: set[str] = set()
    lines = 0

    def progressed(more: int) -> None:
        nonlocal lines
        lines += more
        on_progress(lines)

    for recorded in merged(sources, _is_remembered, progressed):
        if isinstance(recorded.what, RecordedMessage):
            found.messages += 1
            _remember(found, recorded.name, recorded.what, seen)
            continue
        found.streams.setdefault(recorded.name, StreamSummary()).take(recorded.what)
        if len(found.gaps) < _MOST_GAPS:
            missing = max(0, recorded.what.missing)
            found.gaps.append(FoundGap(recorded.at_ns, recorded.name, missing, recorded.what.reason))
    for source in sources:
        found.messages += source.passed_over
        for name in source.names:
            found.streams.setdefault(name, StreamSummary())
    found.began_ns = min(source.began_ns for source in sources)
    found.ended_ns = max(found.began_ns, *(source.ended_ns for source in sources))
    found.is_whole = all(source.ends is not None for source in sources)
    return found


def _is_remembered(name: str) -> bool:
    """Tell whether the messages of a name are of use: requests, answers, and what accounts held."""
    return ".watchBalance" in name if is_snapshot(name) else ".watch" not in name


def _remember(found: Scan, name: str, message: RecordedMessage, seen: set[str]) -> None:
    if name.endswith(_REQUESTS):
        request = _request(message)
        if request is not None and request.request_id not in seen:
            seen.add(request.request_id or "")
            found.requests.setdefault(name.removesuffix(_REQUESTS), []).append(request)
    elif is_snapshot(name):
        _remember_balances(found, StreamName.parse(name), message)
    elif (answer := _answer(message)) is not None:
        found.answers[answer.response.request_id] = answer


def _remember_balances(found: Scan, name: StreamName, message: RecordedMessage) -> None:
    state = BalanceState(exact=True)
    try:
        state.reset(decode(message.body).data)
    except InvalidMessage:
        return
    held = {code: net for code, each in state.balances.items() if (net := each.net) is not None}
    found.balances.setdefault((name.tenant, name.exchange), held)


def _request(message: RecordedMessage) -> Any:
    try:
        request = parse_request(bytes(message.body))
    except MalformedRequest:
        return None
    return request if hasattr(request.payload, "symbol") else None


def _answer(message: RecordedMessage) -> Answer | None:
    try:
        envelope = decode(bytes(message.body))
        if envelope.type != "response":
            return None
        response = msgspec.json.decode(envelope.data, type=Response)
    except (InvalidMessage, *UNREADABLE):
        return None
    return Answer(message.at, response, envelope.trace) if response.status in _FINAL else None


def _times(request: OrderRequest, answer: Answer | None) -> RecordedTimes | None:
    decided = request.trace.decided
    if answer is None or decided is None:
        return None
    sent, acknowledged = answer.trace.sent, answer.trace.acknowledged
    arrived = answer.at_ns if sent is None else (sent + (acknowledged or sent)) // 2
    return RecordedTimes(decided, min(max(decided, arrived), answer.at_ns), answer.at_ns)
