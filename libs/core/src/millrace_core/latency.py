"""Latency histograms: the durations of hops, in little memory however many messages there are."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache

_PER_DOUBLING = 16
"""Buckets for each doubling of the value: a percentile is off by 4.4 % at most."""


def _bucket(ns: int) -> int:
    return int(math.log2(ns) * _PER_DOUBLING) if ns > 0 else 0


@lru_cache(maxsize=2_048)
def _end(bucket: int) -> int:
    """Return the smallest duration beyond a bucket."""
    end = max(1, int(2 ** ((bucket + 1) / _PER_DOUBLING)) - 1)
    while _bucket(end) <= bucket:
        end += 1
    return end


_UNSORTED = 1_024
"""So many durations are kept until they are sorted into buckets: together that is several times faster."""


class Histogram:
    """Counts of durations in ns, in buckets that grow geometrically; negative ones count as zero.

    A hop between two machines whose clocks differ may measure below zero.
    """

    __slots__ = ("_buckets", "_unsorted", "count")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._unsorted: list[int] = []
        """Durations that are counted already, but in no bucket yet."""
        self.count = 0

    def record(self, ns: int) -> None:
        """Count one duration."""
        self.count += 1
        self._unsorted.append(ns)
        if len(self._unsorted) >= _UNSORTED:
            self._sort()

    def record_all(self, durations: Iterable[int]) -> None:
        """Count many durations."""
        before = len(self._unsorted)
        self._unsorted.extend(durations)
        self.count += len(self._unsorted) - before
        if len(self._unsorted) >= _UNSORTED:
            self._sort()

    def _sort(self) -> None:
        ascending, self._unsorted = sorted(self._unsorted), []
        start = 0
        while start < len(ascending):
            bucket = _bucket(ascending[start])
            end = bisect_left(ascending, _end(bucket), start)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + end - start
            start = end

    @property
    def buckets(self) -> dict[int, int]:
        """The counts by bucket, from which `of_buckets` makes the same histogram."""
        self._sort()
        return dict(self._buckets)

    @classmethod
    def of_buckets(cls, buckets: Mapping[int, int]) -> "Histogram":
        """Return the histogram that had these buckets."""
        histogram = cls()
        histogram._buckets = dict(buckets)
        histogram.count = sum(buckets.values())
        return histogram

    def percentile(self, percent: float) -> float:
        """Return the duration in ns that `percent` of the counted ones do not exceed; NaN if there are none."""
        if not self.count:
            return math.nan
        self._sort()
        rank = max(1, math.ceil(self.count * percent / 100))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return float(2 ** ((bucket + 0.5) / _PER_DOUBLING))
        raise AssertionError("the buckets hold what was counted")

    def counts_below(self, bounds_ns: Iterable[int]) -> list[int]:
        """Return how many durations are below each bound; exact where the bounds are powers of two."""
        self._sort()
        bounds = [_bucket(bound) for bound in bounds_ns]
        return [sum(count for bucket, count in self._buckets.items() if bucket < bound) for bound in bounds]

    @property
    def total_ns(self) -> float:
        """The sum of all durations, 4.4 % off at most."""
        self._sort()
        return sum(count * 2 ** ((bucket + 0.5) / _PER_DOUBLING) for bucket, count in self._buckets.items())

    def merge(self, others: Iterable["Histogram"]) -> "Histogram":
        """Return one histogram of these counts and the others' together."""
        total = Histogram()
        for histogram in (self, *others):
            total.count += histogram.count
            for bucket, count in histogram.buckets.items():
                total._buckets[bucket] = total._buckets.get(bucket, 0) + count
        return total
