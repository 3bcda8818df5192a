"""How far a stream is behind its exchange. Pure.

The time from an event to its receipt holds the difference of two clocks, which nobody knows. So what counts is how much
longer it takes than in the quickest second of the last minutes. Where the exchange's clock was set back, the times of
its events go back too, which no backlog does: then the difference is another from there on.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T", int, float)

WINDOW_S: Final = 1.0
WINDOW_MESSAGES: Final = 5
"""The median of so many messages and so long at least counts: one late message, or wrong time, is no backlog."""
BASELINE_S: Final = 150.0
"""The quickest window counts for one to two of these: by then two clocks may have drifted apart a little."""
STALE_S: Final = 2.0
CURRENT_S: Final = 1.0


class Lag:
    """The lag of one stream."""

    def __init__(self, now_s: float) -> None:
        self.lag_s = 0.0
        """How much later than usual messages come."""
        self.is_behind = False
        """Whether that is too late for a stream to be called live; only much less ends it."""
        self._window_s = self._baseline_s = now_s
        self._delays_s: list[float] = []
        self._events_ms: list[int] = []
        """The messages of this window: how long each took, and when the exchange says that it happened."""
        self._former: tuple[int, float] | None = None
        """Of the window before: the median time of its events (ms) and their median delay (s)."""
        self._quickest_s = self._quickest_before_s = math.inf
        """The median of the quickest window, of this baseline and of the one before."""
        self._last_ms = 0

    def observe(self, event_ms: int, received_s: float) -> None:
        """Note a message: the exchange's own time of its event, and by a steady clock of ours when it was received."""
        if event_ms == self._last_ms:
            # A time that stands still, as of a last trade, says nothing.
            return
        self._last_ms = event_ms
        self._delays_s.append(received_s - event_ms / 1000)
        self._events_ms.append(event_ms)
        if len(self._delays_s) >= WINDOW_MESSAGES and received_s - self._window_s >= WINDOW_S:
            self._close_window(received_s)

    def _close_window(self, now_s: float) -> None:
        delay_s, at_ms = _median(self._delays_s), _median(self._events_ms)
        if self._former is not None and at_ms < self._former[0]:
            # What it lagged behind before it still does.
            step_s = delay_s - self._former[1]
            self._quickest_s, self._quickest_before_s = self._quickest_s + step_s, self._quickest_before_s + step_s
        self._former = at_ms, delay_s
        self._quickest_s = min(self._quickest_s, delay_s)
        self.lag_s = delay_s - min(self._quickest_s, self._quickest_before_s)
        self.is_behind = self.lag_s > (CURRENT_S if self.is_behind else STALE_S)
        self._window_s, self._delays_s, self._events_ms = now_s, [], []
        if now_s - self._baseline_s > BASELINE_S and not self.is_behind:
            # While it is behind, the quickest window stays the measure, however long that lasts.
            self._baseline_s = now_s
            self._quickest_before_s, self._quickest_s = self._quickest_s, math.inf


def _median(values: Sequence[_T]) -> _T:
    return sorted(values)[len(values) // 2]
