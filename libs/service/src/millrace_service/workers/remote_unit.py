"""A unit that runs in a worker, as the agent's heartbeat shows it."""

from msgspec.structs import replace

from millrace_core.clock import now_ms
from millrace_core.heartbeat import UnitHealth, UnitState
from millrace_core.latency import Histogram
from millrace_service.health import MAX_ERROR_TEXT
from millrace_service.redaction import clean_text
from millrace_service.workers.connection import UnitRecord


class RemoteUnit:
    """Keeps what a worker last said of one of its units, and what became of it when the worker ended."""

    def __init__(self, name: str, worker: str) -> None:
        self.name = name
        self._worker = worker
        self.record = UnitRecord(UnitHealth(name=name, state="starting", since=now_ms(), worker=worker), {})
        """What is known of it."""

    def take(self, record: UnitRecord) -> None:
        """Take the worker's report."""
        self.record = UnitRecord(replace(record.health, worker=self._worker), record.latencies)

    @property
    def state(self) -> UnitState:
        """The state that it last reported."""
        return self.record.health.state

    def start(self) -> None:
        """Note that a process begins to run it; why the one before ended stays until it says more."""
        self.record = UnitRecord(replace(self.record.health, state="starting"), self.record.latencies)

    def end(self, state: UnitState, cause: str) -> None:
        """Note that its worker ended, and why."""
        known = self.record.health
        counters = {**known.counters, "failures": known.counters.get("failures", 0) + 1}
        detail = clean_text(cause)[:MAX_ERROR_TEXT]
        changed = replace(known, state=state, since=now_ms(), detail=detail, counters=counters)
        self.record = UnitRecord(changed, self.record.latencies)

    def report(self) -> UnitHealth:
        """Return the unit's part of the heartbeat."""
        return self.record.health

    @property
    def histograms(self) -> dict[str, Histogram]:
        """The latencies by hop."""
        return {hop: Histogram.of_buckets(buckets) for hop, buckets in self.record.latencies.items()}
