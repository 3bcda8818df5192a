"""Arrival times: a self-exciting (Hawkes) process, in which each arrival makes further ones more likely for a while.

Source: Ogata, "On Lewis' simulation method for point processes" (thinning); the kernel is exponential.
"""

from __future__ import annotations

from math import exp, inf
from random import Random

_BRANCHING = 0.55
"""How many further arrivals each one causes, on average."""
_DECAY_PER_SECOND = 4.0


class Arrivals:
    """Arrival times in seconds, clustered, at a given average rate."""

    def __init__(self, rng: Random, rate: float, now: float = 0.0) -> None:
        self._rng = rng
        self._now = now
        self._excitement = 0.0
        self.rate = rate
        """Arrivals a second, on average; 0 for none at all."""

    def next(self) -> float:
        """Return the time of the next arrival; infinite when there is none."""
        if self.rate <= 0:
            return inf
        base = self.rate * (1 - _BRANCHING)
        while True:
            bound = base + self._excitement
            gap = self._rng.expovariate(bound)
            self._now += gap
            self._excitement *= exp(-_DECAY_PER_SECOND * gap)
            if self._rng.random() * bound <= base + self._excitement:
                self._excitement += _BRANCHING * _DECAY_PER_SECOND
                return self._now

    def restart(self, now: float) -> None:
        """Restart at a time, without memory of earlier arrivals."""
        self._now = now
        self._excitement = 0.0
