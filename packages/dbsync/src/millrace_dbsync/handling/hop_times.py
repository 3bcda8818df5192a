"""How long messages took from hop to hop, gathered for each stream and minute of one batch."""

from collections.abc import Sequence
from operator import sub

from millrace_core.latency import Histogram
from millrace_core.trace import Trace
from millrace_store import Batch

_MINUTE_NS = 60_000_000_000
_MINUTE_MS = 60_000
_Hop = Sequence[int | None]
"""Of each message when it passed, ns; None where that is not known."""


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

    def note_feed(self, name: str, exchange: _Hop, received: _Hop, published: Sequence[int]) -> None:
        """Take the hops of a page of market data: of thousands a second, so column by column."""
        if not published:
            return
        minute = min(published) // _MINUTE_NS
        arriving, passing = _between(exchange, received), _between(received, published)
        if arriving is None or passing is None or max(published) // _MINUTE_NS > minute:
            # Seldom: some hops are not known, or a minute ends within the page.
            for hops in zip(exchange, received, published, strict=True):
                self.note(name, Trace(*hops))
            return
        self._of(name, "exchange→received", minute).extend(arriving)
        self._of(name, "received→published", minute).extend(passing)

    def put(self, batch: Batch) -> None:
        """Add everything to a batch."""
        for (name, hop, minute), durations in self._durations.items():
            histogram = Histogram()
            histogram.record_all(durations)
            batch.latency(name, hop, minute * _MINUTE_MS, histogram)

    def _of(self, name: str, hop: str, minute: int) -> list[int]:
        return self._durations.setdefault((name, hop, minute), [])


def _between(start: _Hop, end: _Hop) -> list[int] | None:
    """Return the time from hop to hop of each; None where a hop of any is not known."""
    try:
        return list(map(sub, end, start))
    except TypeError:
        return None
