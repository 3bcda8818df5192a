"""Latencies of the last minute, in slices that are dropped as they grow old."""

from collections import deque
from collections.abc import Mapping

from millrace_core.latency import Histogram
from millrace_core.trace import HOPS

WINDOW_S = 60.0
_SLICE_S = 5.0


class RecentLatency:
    """The durations of each hop over the last minute."""

    def __init__(self) -> None:
        self._slices: deque[tuple[float, dict[str, Histogram]]] = deque()
        """The start of each slice, s."""

    def record(self, hop: str, ns: int, now_s: float) -> None:
        """Count one duration."""
        if not self._slices or now_s >= self._slices[-1][0] + _SLICE_S:
            self._slices.append((now_s, {}))
            self._drop(now_s)
        self._slices[-1][1].setdefault(hop, Histogram()).record(ns)

    def hops(self, now_s: float) -> dict[str, Histogram]:
        """Return the durations of each hop that was passed within the last minute."""
        self._drop(now_s)
        by_hop: dict[str, list[Histogram]] = {}
        for _, slice_hops in self._slices:
            for hop, histogram in slice_hops.items():
                by_hop.setdefault(hop, []).append(histogram)
        return {hop: Histogram().merge(each) for hop, each in by_hop.items()}

    def _drop(self, now_s: float) -> None:
        while self._slices and self._slices[0][0] < now_s - WINDOW_S:
            self._slices.popleft()


def figures(hops: Mapping[str, Histogram]) -> dict[str, dict[str, float]]:
    """Return count, p50 (ms) and p99 (ms) of each hop, in the order in which an order passes them."""
    ordered = sorted(hops.items(), key=lambda item: HOPS.index(item[0].partition("→")[0]))
    return {
        hop: {
            "count": histogram.count,
            "p50": round(histogram.percentile(50) / 1e6, 3),
            "p99": round(histogram.percentile(99) / 1e6, 3),
        }
        for hop, histogram in ordered
    }
