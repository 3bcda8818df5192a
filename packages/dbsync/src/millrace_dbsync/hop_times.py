"""How long messages took from hop to hop, gathered for each stream and minute of one batch."""

from collections.abc import Sequence
from operator import sub

from millrace_core.latency import Histogram
from millrace_core.trace import Trace
from millrace_store import Batch

_MINUTE_NS = 60_000_000_000
_MINUTE_MS = 60_000


class HopTimes:
    """Durations of the messages of one batch, each in the minute in which its message was published."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str, int], list[int]] = {}

    def note(self, name: str, trace: Trace) -> None:
        """Take a message's latencies; one that was not published says nothing."""
        if trace.published is not None:
            minute = trace.published // _MINUTE_NS
            for hop, ns in trace.latencies().items():
                self._of(name, hop, minute).append(ns)

    def note_feed(self, name: str, traces: Sequence[Trace]) -> None:
        """Take the latencies of a page of market data: of thousands a second, so column by column."""
        published = [trace.published for trace in traces if trace.published is not None]
        received = [trace.received for trace in traces if trace.received is not None]
        exchange = [trace.exchange for trace in traces if trace.exchange is not None]
        are_whole = len(published) == len(received) == len(exchange) == len(traces)
        if not are_whole or not traces or min(published) // _MINUTE_NS != max(published) // _MINUTE_NS:
            # Seldom: some hops are not known, or a minute ends within the page.
            for trace in traces:
                self.note(name, trace)
            return
        minute = published[0] // _MINUTE_NS
        self._of(name, "exchange→received", minute).extend(map(sub, received, exchange))
        self._of(name, "received→published", minute).extend(map(sub, published, received))

    def put(self, batch: Batch) -> None:
        """Add everything to a batch."""
        for (name, hop, minute), durations in self._durations.items():
            histogram = Histogram()
            histogram.record_all(durations)
            batch.latency(name, hop, minute * _MINUTE_MS, histogram)

    def _of(self, name: str, hop: str, minute: int) -> list[int]:
        return self._durations.setdefault((name, hop, minute), [])
