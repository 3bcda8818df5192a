"""How far a stream is behind its exchange. Pure.

The time from an event to its receipt holds the difference of two clocks, which nobody knows. So what counts is how much
longer it takes than the quickest message of the last minutes.
"""

import math
from typing import Final

WINDOW_S: Final = 1.0
WINDOW_MESSAGES: Final = 5
"""The quickest of at least so many messages of at least so long counts: one late message is no backlog."""
BASELINE_S: Final = 150.0
"""The quickest message counts for one to two of these: by then two clocks may have drifted apart a little."""
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
        self._messages = 0
        self._quickest_s = self._quickest_of_baseline_s = self._quickest_before_s = math.inf
        self._newest_ms = 0

    def observe(self, event_ms: int, received_s: float) -> None:
        """Note a message: the exchange's own time of its event, and by a steady clock of ours when it was received."""
        if event_ms <= self._newest_ms:
            # A time that does not go on, as of a ticker's last trade, says nothing.
            return
        self._newest_ms = event_ms
        self._messages += 1
        self._quickest_s = min(self._quickest_s, received_s - event_ms / 1000)
        if self._messages >= WINDOW_MESSAGES and received_s - self._window_s >= WINDOW_S:
            self._close_window(received_s)

    def _close_window(self, now_s: float) -> None:
        self._quickest_of_baseline_s = min(self._quickest_of_baseline_s, self._quickest_s)
        self.lag_s = self._quickest_s - min(self._quickest_of_baseline_s, self._quickest_before_s)
        self.is_behind = self.lag_s > (CURRENT_S if self.is_behind else STALE_S)
        self._window_s, self._messages, self._quickest_s = now_s, 0, math.inf
        if now_s - self._baseline_s > BASELINE_S and not self.is_behind:
            # While it is behind, the quickest message stays the measure, however long that lasts.
            self._baseline_s = now_s
            self._quickest_before_s, self._quickest_of_baseline_s = self._quickest_of_baseline_s, math.inf
