"""How long requests take to the exchange, and answers back. Deterministic: drawn values come from a seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, log
from random import Random
from typing import Final, NamedTuple, Protocol

from millrace_core.clock import NS_PER_MS
from millrace_core.errors import MillraceError

_P99_SIGMAS: Final = 2.3263478740408408
"""How many standard deviations of a normal distribution the 99th percentile is above the median."""
RECORDED: Final = "recorded"


class LatencyUnreadable(MillraceError):
    """A text does not say how long requests take."""


class Times(NamedTuple):
    """When a request reaches the exchange, and when its answer reaches the strategy; virtual time in ns."""

    arrives_ns: int
    answered_ns: int


class Latency(Protocol):
    """How long each request takes, and each report of an order."""

    def request(self, tenant: str, source: str, now_ns: int) -> Times:
        """Return the times of the next request of a tenant's strategy, which is sent now."""

    def report(self, now_ns: int) -> int:
        """Return when a report that the exchange sends now reaches the strategy."""


class DrawnLatency:
    """The same latency each time, or one drawn from a log-normal distribution; both ways are drawn apart."""

    def __init__(self, median_ms: float, p99_ms: float | None, seed: int) -> None:
        self._median_ns = median_ms * NS_PER_MS
        self._sigma = log(p99_ms / median_ms) / _P99_SIGMAS if p99_ms is not None and median_ms > 0 else 0.0
        self._random = Random(seed)  # noqa: S311 - a model, not a secret

    def request(self, tenant: str, source: str, now_ns: int) -> Times:
        """Return the times of the next request."""
        arrives = self.report(now_ns)
        return Times(arrives, self.report(arrives))

    def report(self, now_ns: int) -> int:
        """Return when a report reaches the strategy."""
        if not self._sigma:
            return now_ns + round(self._median_ns)
        return now_ns + round(self._median_ns * exp(self._random.gauss(0.0, self._sigma)))


class RecordedTimes(NamedTuple):
    """When a recorded request was decided, met the exchange, and was answered where it was recorded; ns."""

    decided_ns: int
    arrived_ns: int
    answered_ns: int


RecordedRequests = Mapping[tuple[str, str], Sequence[RecordedTimes | None]]
"""By tenant and strategy, the times of its requests in their order; None of one without an answer."""


class RecordedLatency:
    """The latency of each request is that of the recorded request of the same strategy and number.

    A request that is decided when the recorded one was (within a second) is carried out and answered at the recorded
    moments, so that its answer has its recorded place among all messages. Requests beyond the recorded ones, and
    reports, take as long as the median.
    """

    def __init__(self, recorded: RecordedRequests) -> None:
        self._times = {key: iter(times) for key, times in recorded.items()}
        known = [each for times in recorded.values() for each in times if each is not None]
        self._there_ns = _median([each.arrived_ns - each.decided_ns for each in known])
        self._back_ns = _median([each.answered_ns - each.arrived_ns for each in known])

    def request(self, tenant: str, source: str, now_ns: int) -> Times:
        """Return the times of the next request."""
        recorded = next(self._times.get((tenant, source), _NONE), None)
        if recorded is None:
            return Times(now_ns + self._there_ns, now_ns + self._there_ns + self._back_ns)
        moved = now_ns - recorded.decided_ns
        moved = 0 if abs(moved) < _SAME_MOMENT_NS else moved
        arrives = max(now_ns, recorded.arrived_ns + moved)
        return Times(arrives, max(arrives, recorded.answered_ns + moved))

    def report(self, now_ns: int) -> int:
        """Return when a report reaches the strategy."""
        return now_ns + self._back_ns


_SAME_MOMENT_NS: Final = 1_000_000_000
_NONE: Final[Iterator[RecordedTimes | None]] = iter(())


def latency_of(text: str, seed: int, recorded: Callable[[], RecordedRequests]) -> Latency:
    """Return the latency that a text says: `5` ms each way, `5:40` with a 99th percentile of 40, or `recorded`.

    Raises:
        LatencyUnreadable: the text has another form.
    """
    if text == RECORDED:
        return RecordedLatency(recorded())
    median, colon, p99 = text.partition(":")
    try:
        numbers = float(median), float(p99) if colon else None
    except ValueError as error:
        raise LatencyUnreadable(_WANTED.format(text)) from error
    is_usual = 0 <= numbers[0] <= 60_000 and (numbers[1] is None or numbers[0] < numbers[1] <= 600_000)
    if not is_usual or (numbers[1] is not None and numbers[0] == 0):
        raise LatencyUnreadable(_WANTED.format(text))
    return DrawnLatency(*numbers, seed)


_WANTED: Final = (
    "{!r} is no latency: write ms each way, such as 5, a median and a 99th percentile, such as 5:40, or recorded"
)


def _median(numbers: Sequence[int]) -> int:
    return max(sorted(numbers)[len(numbers) // 2], 0) if numbers else 0
