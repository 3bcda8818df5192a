"""How long messages took from hop to hop, gathered for each stream and minute of one batch."""

from millrace_core.latency import Histogram
from millrace_core.trace import Trace
from millrace_store import Batch

_MINUTE_NS = 60_000_000_000
_MINUTE_MS = 60_000


class HopTimes:
    """Histograms of the latencies of the messages of one batch."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str, int], Histogram] = {}

    def note(self, name: str, trace: Trace) -> None:
        """Count a message's latencies in the minute in which it was published; one that was not says nothing."""
        if trace.published is None:
            return
        minute = trace.published // _MINUTE_NS
        for hop, ns in trace.latencies().items():
            key = (name, hop, minute)
            histogram = self._histograms.get(key)
            if histogram is None:
                histogram = self._histograms[key] = Histogram()
            histogram.record(ns)

    def put(self, batch: Batch) -> None:
        """Add everything to a batch."""
        for (name, hop, minute), histogram in self._histograms.items():
            batch.latency(name, hop, minute * _MINUTE_MS, histogram)
