"""The health of a unit, as the unit reports it: state, counters, latencies, errors.

Reporters are called for every message, so each call only updates a dictionary; sums are made when a heartbeat is due.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from math import isfinite
from traceback import format_exception
from typing import Final, Protocol

from millrace_core.clock import now_ms
from millrace_core.heartbeat import ErrorReport, UnitHealth, UnitState
from millrace_core.latency import Histogram
from millrace_service.errors import describe, traceback_of
from millrace_service.redaction import clean_text

KEPT_ERRORS: Final = 20
MAX_ERROR_TEXT: Final = 500
MAX_TRACEBACK: Final = 4_000
"""Of a longer one the end is kept, which says where it was raised."""


class ErrorLog:
    """The newest errors of a process, oldest first."""

    def __init__(self) -> None:
        self._errors: deque[ErrorReport] = deque(maxlen=KEPT_ERRORS)
        self._count = 0

    def add(self, where: str, message: str, traceback: str | None = None) -> None:
        """Keep an error; beyond `KEPT_ERRORS` the oldest is dropped."""
        text = clean_text(message)[:MAX_ERROR_TEXT]
        shown = clean_text(traceback)[-MAX_TRACEBACK:] if traceback else None
        self.add_report(ErrorReport(at=now_ms(), where=where, message=text, traceback=shown))

    def add_report(self, report: ErrorReport) -> None:
        """Keep an error that was reported elsewhere, as by a worker."""
        self._errors.append(report)
        self._count += 1

    def since(self, count: int) -> tuple[list[ErrorReport], int]:
        """Return the kept errors after the first `count`, oldest first, and how many there have been now."""
        new = min(self._count - count, len(self._errors))
        return list(islice(self._errors, len(self._errors) - new, None)), self._count

    def reports(self) -> list[ErrorReport]:
        """Return all kept errors, oldest first."""
        return list(self._errors)


class UnitReporter(Protocol):
    """What the heartbeat asks about a unit, wherever it runs."""

    def report(self) -> UnitHealth:
        """Return the unit's part of the heartbeat."""

    @property
    def histograms(self) -> Mapping[str, Histogram]:
        """The latencies by hop."""


class UnitHealthReporter:
    """Takes one unit's reports. It outlives the unit's restarts: counters are running totals."""

    __slots__ = (
        "_changed",
        "_counters",
        "_detail",
        "_errors",
        "_histograms",
        "_said",
        "_since",
        "_source",
        "_state",
        "name",
    )

    def __init__(self, name: str, *, changed: Callable[[], None], errors: ErrorLog) -> None:
        self.name = name
        self._changed = changed
        self._errors = errors
        self._state: UnitState = "starting"
        self._detail: str | None = None
        self._said: str | None = None
        self._since = now_ms()
        self._source: str | None = None
        self._counters: dict[str, int | float] = {}
        self._histograms: dict[str, Histogram] = {}

    def count(self, counter: str, by: int | float = 1) -> None:
        """Add to a running total, such as `messages`, `gaps`, `recoveries`."""
        counters = self._counters
        counters[counter] = counters.get(counter, 0) + by

    def gauge(self, counter: str, value: int | float) -> None:
        """Set a number that goes up and down, such as `openOrders`."""
        self._counters[counter] = value

    def source(self, source: str) -> None:
        """Report by what a stream comes; see `UnitHealth.source`."""
        self._source = source
        self._changed()

    def latency(self, hop: str, ns: int) -> None:
        """Count the duration of a hop such as `received→published`; `Trace.latencies` returns them."""
        self.histogram(hop).record(ns)

    def histogram(self, hop: str) -> Histogram:
        """Return the histogram of a hop, for who counts a duration at every message."""
        histogram = self._histograms.get(hop)
        if histogram is None:
            histogram = self._histograms[hop] = Histogram()
        return histogram

    def latencies(self, hop: str, durations_ns: Iterable[int]) -> None:
        """Count many durations of a hop, several times faster than one by one."""
        self._histograms.setdefault(hop, Histogram()).record_all(durations_ns)

    def state(self, state: UnitState, detail: str | None = None) -> None:
        """Report the unit's state, and why. A change sends a heartbeat at once; repeating it costs nothing."""
        if state == self._state and detail == self._detail:
            return
        if state != self._state:
            self._since = now_ms()
        self._state, self._detail = state, detail
        self._said = detail and clean_text(detail)[:MAX_ERROR_TEXT]
        self._changed()

    def error(self, message: str | BaseException) -> None:
        """Report an error that the unit itself handled. It counts as `errors`; the heartbeat shows the newest ones."""
        self.count("errors")
        if isinstance(message, str):
            self._errors.add(self.name, message)
        else:
            raised = traceback_of(message)
            self._errors.add(self.name, describe(message), "".join(format_exception(raised)) if raised else None)
        self._changed()

    def go_on_from(self, counters: Mapping[str, int | float], latencies: Mapping[str, Mapping[int, int]]) -> None:
        """Continue the running totals of an earlier process."""
        self._counters = dict(counters)
        self._histograms = {hop: Histogram.of_buckets(buckets) for hop, buckets in latencies.items()}

    @property
    def current_state(self) -> UnitState:
        """The last reported state."""
        return self._state

    @property
    def histograms(self) -> dict[str, Histogram]:
        """The latencies by hop."""
        return self._histograms

    def report(self) -> UnitHealth:
        """Return the unit's part of the heartbeat."""
        return UnitHealth(
            name=self.name,
            state=self._state,
            since=self._since,
            detail=self._said,
            source=self._source,
            # As JSON, NaN or an infinity would make the whole heartbeat unreadable.
            counters={name: value for name, value in self._counters.items() if isfinite(value)},
            latencies=summaries(self._histograms),
        )


def summaries(histograms: Mapping[str, Histogram]) -> dict[str, dict[str, float]]:
    """Return count, and p50 and p99 in ms, of each hop that was measured."""
    return {
        hop: {
            "count": histogram.count,
            "p50": round(histogram.percentile(50) / 1e6, 4),
            "p99": round(histogram.percentile(99) / 1e6, 4),
        }
        for hop, histogram in sorted(histograms.items())
        if histogram.count
    }
