"""Statistics of a run, collected by the observer; shown by the dashboard and written to the report.

Pure: updates, heartbeats and the time are passed in.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from millrace_core.heartbeat import Heartbeat
from millrace_core.latency import Histogram
from millrace_core.names import StreamName, Tenant
from millrace_core.orders import FINAL_STATUSES, Order, OrderKey
from millrace_core.states import BookState, StreamState
from millrace_core.trace import HOPS, Trace

KEPT_ERRORS = 50
_RATE_WINDOW_S = 5.0


@dataclass
class StreamView:
    """One stream as the observer sees it."""

    name: StreamName
    messages: int = 0
    trusted: bool = False
    status: str = "waiting"
    state: StreamState | None = None
    gaps: int = 0
    recoveries: int = 0
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    """Times in s and message counts, over the window of the rate."""

    def rate(self) -> float:
        """Return the messages per second over the last few seconds."""
        if len(self.samples) < 2:
            return 0.0
        (start, before), (end, after) = self.samples[0], self.samples[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def sample(self, now_s: float) -> None:
        """Record the number of messages so far."""
        self.samples.append((now_s, self.messages))
        while self.samples[0][0] < now_s - _RATE_WINDOW_S:
            self.samples.popleft()


@dataclass(frozen=True)
class SeenError:
    """An error from an answer or a heartbeat."""

    at_ms: int
    where: str
    message: str


class Picture:
    """Everything observed in one run."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.streams: dict[str, StreamView] = {}
        self.orders: dict[tuple[Tenant, OrderKey], str] = {}
        """Status by order."""
        self.answers: Counter[str] = Counter()
        self.hops: dict[str, Histogram] = {}
        self.heartbeats: dict[str, Heartbeat] = {}
        self.errors: deque[SeenError] = deque(maxlen=KEPT_ERRORS)
        self.error_count = 0
        self.live_after_s: float | None = None
        """Seconds from the start until a book was live; None until then."""
        self.filled_after_s: float | None = None
        """Seconds from the start until an order was filled; None until then."""

    def saw_message(self, view: StreamView, trace: Trace, now_s: float) -> None:
        """Count one message of a stream, and its latencies up to its publication."""
        view.messages += 1
        if view.trusted and self.live_after_s is None and isinstance(view.state, BookState):
            self.live_after_s = now_s - self.started_s
        # Later hops are this observer's own, unless an order carries them.
        self._record(Trace(exchange=trace.exchange, received=trace.received, published=trace.published))

    def saw_order(self, name: StreamName, order: Order, now_s: float) -> None:
        """Note the newest status of an order that a stream reports; a final one stays."""
        key = name.tenant, OrderKey(name.exchange, order.symbol or name.symbol or "", order.id)
        if self.orders.get(key) in FINAL_STATUSES:
            return
        self.orders[key] = order.status or self.orders.get(key, "open")
        if order.filled and self.filled_after_s is None:
            self.filled_after_s = now_s - self.started_s

    def saw_answer(self, status: str, error: str | None, where: str, trace: Trace, at_ms: int) -> None:
        """Count one answer to a request, and its latencies from the strategy to the exchange and back."""
        self.answers[status] += 1
        # The hops up to `published` were counted with the message that caused the request.
        self._record(msgspec.structs.replace(trace, exchange=None, received=None))
        if error is not None:
            self.saw_error(SeenError(at_ms, where, error))

    def saw_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Note an agent's newest heartbeat, and the errors since the one before."""
        before = self.heartbeats.get(heartbeat.id)
        known = set(before.last_errors) if before and before.started_at == heartbeat.started_at else set()
        for report in heartbeat.last_errors:
            if report not in known:
                self.saw_error(SeenError(report.at, f"{heartbeat.id} {report.where}", report.message))
        self.heartbeats[heartbeat.id] = heartbeat

    def saw_error(self, error: SeenError) -> None:
        """Note an error."""
        self.errors.append(error)
        self.error_count += 1

    def latency_ms(self) -> dict[str, dict[str, float]]:
        """Return count, p50 (ms) and p99 (ms) of each hop, in the order in which an order passes them."""
        ordered = sorted(self.hops.items(), key=lambda item: HOPS.index(item[0].partition("→")[0]))
        return {
            hop: {
                "count": histogram.count,
                "p50": round(histogram.percentile(50) / 1e6, 3),
                "p99": round(histogram.percentile(99) / 1e6, 3),
            }
            for hop, histogram in ordered
        }

    def report(self, now_s: float) -> dict[str, Any]:
        """Return the report of the run, as JSON values."""
        streams = self.streams.values()
        seconds = now_s - self.started_s
        messages = sum(view.messages for view in streams)
        return {
            "seconds": round(seconds, 3),
            "liveBooksAfterSeconds": self.live_after_s,
            "filledOrderAfterSeconds": self.filled_after_s,
            "messages": messages,
            "messagesPerSecond": round(messages / seconds, 1) if seconds else 0.0,
            "streams": {key: view.messages for key, view in sorted(self.streams.items())},
            "untrusted": sorted(key for key, view in self.streams.items() if not view.trusted),
            "orders": dict(Counter(self.orders.values())),
            "answers": dict(self.answers),
            "latencyMs": self.latency_ms(),
            "gaps": sum(view.gaps for view in streams),
            "recoveries": sum(view.recoveries for view in streams),
            "errorCount": self.error_count,
            "errors": [{"at": e.at_ms, "where": e.where, "message": e.message} for e in self.errors],
        }

    def _record(self, trace: Trace) -> None:
        for hop, ns in trace.latencies().items():
            self.hops.setdefault(hop, Histogram()).record(ns)
