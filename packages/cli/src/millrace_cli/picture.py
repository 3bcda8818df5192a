"""Statistics of a run, collected by the observer; shown by the dashboard and written to the report.

Pure: updates, heartbeats and the time are passed in.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from millrace_cli.recent_latency import RecentLatency, figures
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat
from millrace_core.latency import Histogram
from millrace_core.names import StreamName, Tenant
from millrace_core.orders import Order, OrderKey, OrderRecord, join
from millrace_core.states import BookState, StreamState
from millrace_core.trace import Trace

KEPT_ERRORS = 50
KEPT_ORDERS = 5_000
LATE_MS = 2_500 * HEARTBEAT_INTERVAL_S
"""An agent whose heartbeat is older than this counts as dead."""
_RATE_WINDOW_S = 5.0
_EXPECTED_ANSWERS = ("done", "rejected")
"""What an exchange or a limit refuses is an answer like any other."""


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
    """An error from an answer, a heartbeat or a service's end."""

    at_ms: int
    where: str
    message: str


@dataclass(frozen=True)
class SeenHalt:
    """What is halted, of which tenant."""

    tenant: Tenant
    scope: str
    """`{exchange or *}/{order source or *}`"""
    since_ms: int
    reason: str | None
    by: str | None


class Picture:
    """Everything observed in one run."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.streams: dict[str, StreamView] = {}
        self.orders: dict[tuple[Tenant, OrderKey], OrderRecord] = {}
        """The newest own orders, the last changed one last."""
        self.answers: Counter[str] = Counter()
        self.last_rejection: str | None = None
        self.hops: dict[str, Histogram] = {}
        self.recent = RecentLatency()
        """The hops of the last minute."""
        self.heartbeats: dict[str, Heartbeat] = {}
        self.replaced_ms: dict[tuple[str, str], int] = {}
        """By agent and worker, when a process was last seen to be replaced, in ms since 1970."""
        self.missing: set[str] = set()
        """The agents whose heartbeat is gone."""
        self.halts: list[SeenHalt] = []
        self.errors: deque[SeenError] = deque(maxlen=KEPT_ERRORS)
        self.error_count = 0
        self.live_after_s: float | None = None
        """Seconds from the start until a book was live; None until then."""
        self.filled_after_s: float | None = None
        """Seconds from the start until an order was filled; None until then."""
        self._forgotten: Counter[str] = Counter()
        """Of orders that are no longer kept: how many ended in each status."""

    def saw_message(self, view: StreamView, trace: Trace, now_s: float) -> None:
        """Count one message of a stream, and its latencies up to its publication."""
        view.messages += 1
        if view.trusted and self.live_after_s is None and isinstance(view.state, BookState):
            self.live_after_s = now_s - self.started_s
        # Later hops are this observer's own, unless an order carries them.
        self._record(Trace(exchange=trace.exchange, received=trace.received, published=trace.published), now_s)

    def saw_order(self, name: StreamName, order: Order, now_s: float, at_ms: int) -> None:
        """Note an order as a stream reports it; reports of one order are joined, so a final one stays final."""
        if order.symbol is None:
            order = msgspec.structs.replace(order, symbol=name.symbol or "")
        key = name.tenant, OrderKey(name.exchange, order.symbol or "", order.id)
        known, record = self.orders.pop(key, None), OrderRecord(order, name.exchange, at_ms)
        self.orders[key] = record if known is None else join(known, record)
        if len(self.orders) > KEPT_ORDERS:
            oldest = next(iter(self.orders))
            self._forgotten[status_of(self.orders.pop(oldest))] += 1
        if order.filled and self.filled_after_s is None:
            self.filled_after_s = now_s - self.started_s

    def saw_answer(self, status: str, error: str | None, where: str, trace: Trace, now_s: float, at_ms: int) -> None:
        """Count one answer to a request, and its latencies from the strategy to the exchange and back."""
        self.answers[status] += 1
        # The hops up to `published` were counted with the message that caused the request.
        self._record(msgspec.structs.replace(trace, exchange=None, received=None), now_s)
        if error is not None and status in _EXPECTED_ANSWERS:
            self.last_rejection = error
        elif error is not None:
            self.saw_error(SeenError(at_ms, where, error))

    def saw_heartbeats(self, heartbeats: Iterable[Heartbeat]) -> None:
        """Note all heartbeats that there are; agents that had one before are missing now."""
        present = {heartbeat.id: heartbeat for heartbeat in heartbeats}
        for heartbeat in present.values():
            self._saw_heartbeat(heartbeat)
        self.missing = self.heartbeats.keys() - present.keys()

    def dead(self, now_ms: int) -> dict[str, float]:
        """Return the agents that are dead, and since how many seconds nothing was heard of them."""
        silent_ms = {agent: now_ms - beat.sent_at for agent, beat in self.heartbeats.items()}
        return {agent: ms / 1000 for agent, ms in silent_ms.items() if agent in self.missing or ms > LATE_MS}

    def saw_error(self, error: SeenError) -> None:
        """Note an error."""
        self.errors.append(error)
        self.error_count += 1

    def order_counts(self) -> Counter[str]:
        """Return how many own orders there are in each status."""
        return self._forgotten + Counter(status_of(record) for record in self.orders.values())

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
            "orders": dict(self.order_counts()),
            "answers": dict(self.answers),
            "latencyMs": figures(self.hops),
            "gaps": sum(view.gaps for view in streams),
            "recoveries": sum(view.recoveries for view in streams),
            "errorCount": self.error_count,
            "errors": [{"at": e.at_ms, "where": e.where, "message": e.message} for e in self.errors],
        }

    def _saw_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Note an agent's newest heartbeat, and the errors and replaced workers since the one before."""
        before = self.heartbeats.get(heartbeat.id)
        if before is not None and before.started_at != heartbeat.started_at:
            before = None
        known = set(before.last_errors) if before else set()
        for report in heartbeat.last_errors:
            if report not in known:
                self.saw_error(SeenError(report.at, f"{heartbeat.id} {report.where}", report.message))
        replaced = {worker.name: worker.replaced for worker in before.workers} if before else {}
        for worker in heartbeat.workers:
            if worker.replaced > replaced.get(worker.name, 0):
                self.replaced_ms[heartbeat.id, worker.name] = heartbeat.sent_at
        self.heartbeats[heartbeat.id] = heartbeat

    def _record(self, trace: Trace, now_s: float) -> None:
        for hop, ns in trace.latencies().items():
            self.hops.setdefault(hop, Histogram()).record(ns)
            self.recent.record(hop, ns, now_s)


def status_of(record: OrderRecord) -> str:
    """Return an order's status; one of which the exchange does not say it is open."""
    return record.order.status or "open"
