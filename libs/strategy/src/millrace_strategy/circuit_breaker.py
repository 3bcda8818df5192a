"""Decides when a strategy is stopped: after too many errors, or when one event takes too long. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from millrace_core.clock import NS_PER_MS
from millrace_core.config.magicbox import StrategyLimits
from millrace_strategy.errors import EventTooSlow, StartFailed, StrategyFaulty, TooManyErrors

_MINUTE_NS: Final = 60_000_000_000


class CircuitBreaker:
    """Counts the errors of one strategy's hooks, and compares the time of each event with its limit."""

    def __init__(self, strategy: str, limits: StrategyLimits) -> None:
        self.errors_in_a_row = 0
        """How many events in a row have raised."""
        self.event_limit_ns = None if limits.event_ms is None else round(limits.event_ms * NS_PER_MS)
        """How long an event may take; None for any time."""
        self._strategy = strategy
        self._errors_per_minute = limits.errors_per_minute
        self._failed_at: deque[int] = deque()

    def failed(self, errors: Sequence[BaseException], now_ns: int, *, tolerated: int) -> StrategyFaulty | None:
        """Count the errors of one event; return why the strategy is stopped, or None.

        `tolerated` is the number of events in a row after which it is.
        """
        self.errors_in_a_row += 1
        self._failed_at.extend([now_ns] * len(errors))
        while self._failed_at[0] <= now_ns - _MINUTE_NS:
            self._failed_at.popleft()
        in_a_minute = len(self._failed_at)
        if self.errors_in_a_row >= tolerated:
            how_many = f"{self.errors_in_a_row} errors in a row"
        elif in_a_minute > self._errors_per_minute:
            how_many = f"{in_a_minute} errors within 60 s, of which {self._errors_per_minute} are tolerated"
        else:
            return None
        return self._because(
            TooManyErrors(f"{self._strategy} was stopped after {how_many}, the last {errors[-1]!r}"), errors
        )

    def start_failed(self, errors: Sequence[BaseException]) -> StrategyFaulty:
        """Return why a new version whose `on_start` raised is stopped."""
        return self._because(StartFailed(f"{self._strategy} raised in on_start: {errors[-1]!r}"), errors)

    def took(self, hook: str, ns: int, errors: Sequence[BaseException]) -> StrategyFaulty | None:
        """Return why the strategy is stopped if an event took too long, else None."""
        if self.event_limit_ns is None or ns <= self.event_limit_ns:
            return None
        took_ms, limit_ms = ns / NS_PER_MS, self.event_limit_ns / NS_PER_MS
        text = f"{self._strategy} was stopped: {hook} took {took_ms:.0f} ms for one event; its limit is {limit_ms:g} ms"
        return self._because(EventTooSlow(text), errors)

    @staticmethod
    def _because(fault: StrategyFaulty, errors: Sequence[BaseException]) -> StrategyFaulty:
        fault.__cause__ = errors[-1] if errors else None
        return fault
