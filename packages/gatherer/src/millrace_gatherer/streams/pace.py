"""How much a stream brings and how late, as its unit's health shows it."""

import asyncio
from typing import Final

from millrace_core.clock import now_ns
from millrace_gatherer.streams.lag import Lag
from millrace_service import UnitHealthReporter

SAMPLE_NS: Final = 20_000_000
"""The lag is observed at one message of those that come within so long."""


class Pace:
    """The rate and the lag of one stream. `has_event_times`: whether its messages carry the times of their events."""

    def __init__(self, health: UnitHealthReporter, *, has_event_times: bool) -> None:
        self._health = health
        self._has_event_times = has_event_times
        self._clock = asyncio.get_running_loop().time
        self._lag = Lag(self._clock())
        self._sampled_ns = 0
        """When the message was received whose lag was last observed."""
        self._messages = 0
        self._measured = (self._clock(), 0)

    @property
    def is_behind(self) -> bool:
        """Whether messages come too late for the stream to be called live."""
        return self._lag.is_behind

    def count(self, event_ms: int | None, received_ns: int, *, is_live: bool) -> bool:
        """Count a message; tell whether the stream fell behind or caught up with it."""
        self._messages += 1
        if not (is_live and self._has_event_times) or event_ms is None:
            return False
        if 0 <= received_ns - self._sampled_ns < SAMPLE_NS:
            return False
        self._sampled_ns = received_ns
        was_behind = self._lag.is_behind
        # By the steady clock: a step of the wall clock is no lag.
        self._lag.observe(event_ms, self._clock() - (now_ns() - received_ns) / 1e9)
        return self._lag.is_behind != was_behind

    def measure(self) -> None:
        """Show the rate since this was last called, and the lag."""
        (since_s, before), now_s = self._measured, self._clock()
        self._measured = (now_s, self._messages)
        if now_s > since_s:
            self._health.gauge("messagesPerSecond", round((self._messages - before) / (now_s - since_s), 1))
        self._health.gauge("lagMs", round(self._lag.lag_s * 1000))
